package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/record"
)

// Headers of a dead letter. A kept delivery has the headers of its record too.
const (
	// HeaderReason says in words why it is here; no personal data.
	HeaderReason = "Jst-Reason"
	// HeaderClass names the kind of failure.
	HeaderClass = "Jst-Class"
	// HeaderStream, HeaderConsumer, HeaderSubject and HeaderSequence say where a delivery came from.
	HeaderStream   = "Jst-Origin-Stream"
	HeaderConsumer = "Jst-Origin-Consumer"
	HeaderSubject  = "Jst-Origin-Subject"
	HeaderSequence = "Jst-Origin-Sequence"
	// HeaderDeliveries is how often a delivery was tried.
	HeaderDeliveries = "Jst-Deliveries"
	// HeaderFirst is when the record was stored, and HeaderLast when it was given up, in RFC 3339.
	HeaderFirst = "Jst-First"
	HeaderLast  = "Jst-Last"
	// HeaderAttempt counts how often a record was dead-lettered, from 1; absent means 1.
	HeaderAttempt = "Jst-Attempt"
	// HeaderRequeuedFrom is the sequence of the dead letter that a requeued record was, and that its next letter follows.
	HeaderRequeuedFrom = "Jst-Requeued-From"
	// HeaderContent is "row" when the body is a row as received, not an Envelope.
	HeaderContent = "Jst-Content"
)

const (
	contentRow = "row"
	// maxReason is the longest reason in bytes; with it a dead letter's own headers fit into headroom.
	maxReason = 1 << 10
	noShop    = "0"
)

// KeepDelivery copies a delivery, body and headers, to the dead letters and returns nil when the server has stored it. Call Term only
// then. The same delivery is kept once, however often it is tried within a day, unless its letter was deleted meanwhile. The letter of a
// requeued record still says where the record stood first, and counts the attempt.
func (c *Conn) KeepDelivery(ctx context.Context, d Delivery, reason, class string) error {
	if d.msg == nil {
		return fmt.Errorf("dead-letter delivery: %w", errDetached)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(d.Subject, recordPrefix), requeueSuffix)
	m := &nats.Msg{Subject: deadLetterPrefix + address, Header: ownHeaders(d.msg.Headers()), Data: d.msg.Data()}
	if m.Header.Get(HeaderRequeuedFrom) == "" {
		m.Header.Set(HeaderStream, Stream)
		m.Header.Set(HeaderSubject, d.Subject)
		m.Header.Set(HeaderSequence, strconv.FormatUint(d.Sequence, 10))
		m.Header.Set(HeaderFirst, d.Published.Format(time.RFC3339Nano))
	}
	m.Header.Set(HeaderConsumer, d.consumer)
	m.Header.Set(HeaderDeliveries, strconv.Itoa(d.Attempt))
	if err := c.renewObject(ctx, m.Header); err != nil {
		return err
	}
	// A stream made anew counts its sequences from the start; the time tells its records from the old ones.
	id := fmt.Sprintf("dlq/%s/%s/%d/%d", Stream, d.consumer, d.Sequence, d.Published.UnixNano())
	return c.keep(ctx, m, id, reason, class)
}

// ownHeaders copies headers but for the server's, such as the batch: those are not for another stream.
func ownHeaders(h nats.Header) nats.Header {
	own := nats.Header{}
	maps.Copy(own, h)
	maps.DeleteFunc(own, func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-") })
	return own
}

// renewObject stores the object that a dead letter names anew, so that it lives as long as the letter. One that is gone cannot be.
func (c *Conn) renewObject(ctx context.Context, h nats.Header) error {
	name := h.Get(HeaderObject)
	if name == "" {
		return nil
	}
	data, err := c.object(ctx, name)
	if errors.Is(err, errUnreadable) || errors.Is(err, ErrNotYet) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.putObject(ctx, name, data)
}

// KeepRow keeps a row that cannot become a record, exactly as received, and returns nil when the server has stored it. The same row is
// kept once within a day, however often it is read.
func (c *Conn) KeepRow(ctx context.Context, source, resource string, raw []byte, reason, class string) error {
	sum := sha256.Sum256(raw)
	hash := hex.EncodeToString(sum[:])
	m := &nats.Msg{
		Subject: DeadLetterSubject(resource, source, noShop, record.Partition(hash)),
		Header:  nats.Header{HeaderHash: {hash}, HeaderContent: {contentRow}},
	}
	if err := c.fit(ctx, m, raw, int(c.nc.MaxPayload())-headroom); err != nil {
		return fmt.Errorf("dead-letter row: %w", err)
	}
	return c.keep(ctx, m, "row/"+Escape(resource)+"/"+Escape(source)+"/"+hash, reason, class)
}

func (c *Conn) keep(ctx context.Context, m *nats.Msg, id, reason, class string) error {
	ctx, done := c.calls.begin(ctx, m.Subject)
	defer done()
	m.Header.Set(HeaderReason, oneLine(reason))
	m.Header.Set(HeaderClass, oneLine(class))
	m.Header.Set(HeaderLast, c.now().UTC().Format(time.RFC3339Nano))
	ack, err := c.js.PublishMsg(ctx, m, jetstream.WithMsgID(id), jetstream.WithExpectStream(DeadLetterStream))
	if err != nil || !ack.Duplicate {
		return c.explain(ctx, "store dead letter", err)
	}
	// The server remembers the id of a letter that was deleted since, too: such a letter is stored anew, without an id.
	if stands, err := c.stands(ctx, DeadLetterStream, ack.Sequence); err != nil || stands {
		return err
	}
	m.Header.Del(jetstream.MsgIDHeader)
	_, err = c.js.PublishMsg(ctx, m, jetstream.WithExpectStream(DeadLetterStream))
	return c.explain(ctx, "store dead letter again", err)
}

// stands tells whether a message is still there.
func (c *Conn) stands(ctx context.Context, stream string, sequence uint64) (bool, error) {
	m, err := c.message(ctx, stream, sequence)
	return m != nil, err
}

// message is the message of a sequence; nil when it is not there any more.
func (c *Conn) message(ctx context.Context, stream string, sequence uint64) (*jetstream.RawStreamMsg, error) {
	s, err := c.stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	ctx, done := c.calls.ask(ctx, apiPrefix+"STREAM.MSG.GET."+stream)
	defer done()
	m, err := s.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	return m, c.explain(ctx, fmt.Sprintf("look up message %d of %s", sequence, stream), err)
}

// oneLine makes a text fit for a header.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}
