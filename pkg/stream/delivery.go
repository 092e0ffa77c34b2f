package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
	juliuv1 "juliu/proto/juliu/v1"
)

// Delivery is a record as it came from the stream. The verbs (Ack and the others) tell the server what became of it; exactly one of
// Ack, NakWithDelay and Term ends it, or AckWait does, after which it comes again. They are safe for concurrent use.
type Delivery struct {
	// Record is the record, with Sequence and Published. The rest of it is empty when Err is set.
	Record record.Record
	// Err says why the message cannot be read: keep it as a dead letter, an ErrNotYet only after some attempts.
	Err error
	// Subject is where the record is stored.
	Subject string
	// Sequence is its number on the stream.
	Sequence uint64
	// Attempt counts the deliveries of this message, from 1.
	Attempt int
	// Pending is how many messages the consumer has not yet been given.
	Pending uint64
	// Published is when the server stored the record.
	Published time.Time

	consumer string
	msg      jetstream.Msg
}

// errDetached means that a Delivery did not come from a stream.
var errDetached = errors.New("this delivery did not come from a stream")

// newDelivery reads a message. An error means that it may be read later; a message that never can be, or whose
// object is not found, is a Delivery with Err.
func (c *Conn) newDelivery(ctx context.Context, m jetstream.Msg, meta *jetstream.MsgMetadata) (Delivery, error) {
	d := Delivery{
		Subject:   m.Subject(),
		Sequence:  meta.Sequence.Stream,
		Attempt:   int(meta.NumDelivered), //nolint:gosec // a count of deliveries
		Pending:   meta.NumPending,
		Published: meta.Timestamp.UTC(),
		consumer:  meta.Consumer,
		msg:       m,
	}
	d.Record, d.Err = c.readRecord(ctx, m)
	if d.Err != nil && !errors.Is(d.Err, errUnreadable) && !errors.Is(d.Err, ErrNotYet) {
		return d, d.Err
	}
	d.Record.Sequence, d.Record.Published = d.Sequence, d.Published
	return d, nil
}

// readRecord is the record in a message, errUnreadable or ErrNotYet. After any other error it may be tried again.
func (c *Conn) readRecord(ctx context.Context, m jetstream.Msg) (record.Record, error) {
	body, err := c.body(ctx, m.Headers(), m.Data())
	if err != nil {
		return record.Record{}, err
	}
	envelope := &juliuv1.Envelope{}
	if err := proto.Unmarshal(body, envelope); err != nil {
		return record.Record{}, fmt.Errorf("%w: read envelope: %w", errUnreadable, err)
	}
	r, err := record.FromEnvelope(envelope)
	if err != nil {
		return record.Record{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return r, nil
}

// Ack says that the record is written. It does not wait: when it is lost on the way, the record comes again.
func (d Delivery) Ack() error { return d.tell("ack", func(m jetstream.Msg) error { return m.Ack() }) }

// NakWithDelay asks for the record again, no sooner than after the delay.
func (d Delivery) NakWithDelay(delay time.Duration) error {
	return d.tell("nak", func(m jetstream.Msg) error { return m.NakWithDelay(delay) })
}

// InProgress says that the record is still worked on: AckWait begins anew.
func (d Delivery) InProgress() error {
	return d.tell("note progress of", func(m jetstream.Msg) error { return m.InProgress() })
}

// Term says that the record must not come again. The reason goes into the server's advisory: no personal data.
func (d Delivery) Term(reason string) error {
	return d.tell("terminate", func(m jetstream.Msg) error { return m.TermWithReason(reason) })
}

func (d Delivery) tell(verb string, say func(jetstream.Msg) error) error {
	if d.msg == nil {
		return fmt.Errorf("%s delivery: %w", verb, errDetached)
	}
	if err := say(d.msg); err != nil {
		return fmt.Errorf("%s delivery %d: %w", verb, d.Sequence, err)
	}
	return nil
}
