package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
	juliuv1 "juliu/proto/juliu/v1"
)

// Delivery is a message with a record as it came from the stream; Read decodes it. The verbs (Ack and the others) tell the server what
// became of it; exactly one of Ack, NakWithDelay and Term ends it, or AckWait does, after which it comes again. They are safe for
// concurrent use.
type Delivery struct {
	// Identity tells keys apart: messages of one source, resource and key have the same one. It is read from subject and headers.
	Identity string
	// Record is the record, with Sequence and Published. It is empty before Read, and when Err is set.
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
	// Size is about how many bytes the record takes: the message's body, or a guess for one that is compressed or kept as an object.
	Size int

	consumer string
	conn     *Conn
	msg      jetstream.Msg
}

// errDetached means that a Delivery did not come from a stream.
var errDetached = errors.New("this delivery did not come from a stream")

// newDelivery is a message, unread.
func (c *Conn) newDelivery(m jetstream.Msg, meta *jetstream.MsgMetadata) Delivery {
	return Delivery{
		Identity:  owner(m.Subject()) + "." + m.Headers().Get(HeaderKey),
		Subject:   m.Subject(),
		Sequence:  meta.Sequence.Stream,
		Attempt:   int(meta.NumDelivered), //nolint:gosec // a count of deliveries
		Pending:   meta.NumPending,
		Published: meta.Timestamp.UTC(),
		Size:      size(m),
		consumer:  meta.Consumer,
		conn:      c,
		msg:       m,
	}
}

const (
	// expansion is how much larger than its compressed form JSON is taken to be, and objectSize what an object is taken to hold.
	expansion  = 8
	objectSize = 8 << 20
)

func size(m jetstream.Msg) int {
	switch h := m.Headers(); {
	case h.Get(HeaderObject) != "":
		return objectSize
	case h.Get(HeaderEncoding) != "":
		return expansion * len(m.Data())
	default:
		return len(m.Data())
	}
}

// owner is the beginning jst.record.<resource>.<source> of a subject: an order that moves to another shop, or is requeued, stays the same.
func owner(subject string) string {
	ends := 0
	return subject[:len(subject)-len(strings.TrimLeftFunc(subject, func(r rune) bool {
		if r == '.' {
			ends++
		}
		return ends < 4
	}))]
}

// Read is the delivery with Record, or with Err when the message cannot be read. Its error means that it may be read later: a large row
// could not be fetched.
func (d Delivery) Read(ctx context.Context) (Delivery, error) {
	if d.msg == nil {
		return d, nil
	}
	d.Record, d.Err = d.conn.readRecord(ctx, d.msg.Headers(), d.msg.Data())
	if d.Err != nil && !unreadable(d.Err) {
		err := d.Err
		d.Err = nil
		return d, fmt.Errorf("read delivery %d: %w", d.Sequence, err)
	}
	d.Record.Sequence, d.Record.Published = d.Sequence, d.Published
	return d, nil
}

// unreadable tells that a message was read and is not, or not yet, a record.
func unreadable(err error) bool { return errors.Is(err, errUnreadable) || errors.Is(err, ErrNotYet) }

// readRecord is the record in a message, errUnreadable or ErrNotYet. After any other error it may be tried again.
func (c *Conn) readRecord(ctx context.Context, h nats.Header, data []byte) (record.Record, error) {
	body, err := c.body(ctx, h, data)
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
