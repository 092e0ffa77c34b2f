// Package tape copies what a NATS server holds, message by message and as it stands, for a judge of juliu. So it shares nothing with the
// package above it: a mistake in how juliu reads would hide in what it is judged by.
package tape

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/chaos"
)

const (
	// again is the pause after a call that failed.
	again = 200 * time.Millisecond
	// each bounds one call.
	each = 3 * time.Second
)

// Tape reads one server. It is safe for concurrent use.
type Tape struct {
	nc *nats.Conn
	js jetstream.JetStream
}

// Open connects, and reconnects for ever. The URL may hold a token.
func Open(url string) (*Tape, error) {
	nc, err := nats.Connect(url, nats.Name("tape"), nats.MaxReconnects(-1), nats.ReconnectWait(again), nats.RetryOnFailedConnect(true),
		nats.PingInterval(each), nats.NoCallbacksAfterClientClose())
	if err != nil {
		return nil, fmt.Errorf("connect the tape: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("prepare JetStream: %w", err)
	}
	return &Tape{nc: nc, js: js}, nil
}

// Close ends the connection.
func (t *Tape) Close() { t.nc.Close() }

// Copy hands every message of a stream to take, in order, up to the last one that is there when it begins. Nobody may
// write meanwhile: a last checkpoint that was replaced would be waited for until ctx ends.
func (t *Tape) Copy(ctx context.Context, stream string, take func(chaos.Message) error) error {
	info, err := t.info(ctx, stream)
	if err != nil || info.State.Msgs == 0 {
		return err
	}
	return t.read(ctx, stream, jetstream.OrderedConsumerConfig{}, func(m chaos.Message) (bool, error) {
		return m.Sequence < info.State.LastSeq, take(m)
	})
}

// Follow hands the messages of a subject to take as they come, also those that another replaces soon after, and through restarts of the
// server, until ctx ends; then it returns nil. After an interruption that the client could not bridge, those that are there come again.
func (t *Tape) Follow(ctx context.Context, stream, subject string, take func(chaos.Message) error) error {
	var failed error
	for ctx.Err() == nil && failed == nil {
		_ = t.read(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}}, func(m chaos.Message) (bool, error) {
			failed = take(m)
			return true, failed
		})
		pause(ctx, again)
	}
	return failed
}

// Version is the server's.
func (t *Tape) Version() string { return t.nc.ConnectedServerVersion() }

// Last is the last message of a subject; a zero Message when there is none.
func (t *Tape) Last(ctx context.Context, stream, subject string) (chaos.Message, error) {
	ctx, done := context.WithTimeout(ctx, each)
	defer done()
	s, err := t.js.Stream(ctx, stream)
	if err != nil {
		return chaos.Message{}, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return chaos.Message{}, fmt.Errorf("read the last message of %s: %w", subject, err)
	}
	return chaos.Message{Sequence: m.Sequence, Subject: m.Subject, Stored: m.Time, Header: m.Header, Body: m.Data}, nil
}

// Position is where a consumer stands.
type Position struct {
	chaos.Floor

	// Delivered is the last sequence handed out.
	Delivered   uint64
	Pending     uint64
	Unacked     int
	Redelivered int
}

// Position is where a consumer stood; now is asked after the answer.
func (t *Tape) Position(ctx context.Context, stream, consumer string, now func() time.Time) (Position, error) {
	ctx, done := context.WithTimeout(ctx, each)
	defer done()
	c, err := t.js.Consumer(ctx, stream, consumer)
	if err != nil {
		return Position{}, fmt.Errorf("look up consumer %s: %w", consumer, err)
	}
	info := c.CachedInfo()
	return Position{
		Floor:     chaos.Floor{At: now().UTC(), Acked: info.AckFloor.Stream, Created: info.Created},
		Delivered: info.Delivered.Stream, Pending: info.NumPending, Unacked: info.NumAckPending, Redelivered: info.NumRedelivered,
	}, nil
}

func (t *Tape) info(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	ctx, done := context.WithTimeout(ctx, each)
	defer done()
	s, err := t.js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	return s.CachedInfo(), nil
}

// read hands messages to fn until it returns false.
func (t *Tape) read(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, fn func(chaos.Message) (bool, error)) error {
	consumer, err := t.js.OrderedConsumer(ctx, stream, cfg)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		on, err := fn(chaos.Message{
			Sequence: meta.Sequence.Stream, Subject: m.Subject(), Stored: meta.Timestamp.UTC(), Header: m.Headers(), Body: m.Data(),
		})
		if err != nil || !on {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
