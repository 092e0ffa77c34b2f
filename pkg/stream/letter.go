package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/record"
)

// Letter is a dead letter as its headers describe it, without what it holds. Several letters of one record, as a crash between two steps can
// leave them, are one Letter.
type Letter struct {
	// ID is the letter's sequence on DeadLetterStream.
	ID uint64
	// Class is the kind of failure, Reason says it in words.
	Class, Reason string
	// Resource, Source and Shop are what the letter is of; Shop is "0" for a row.
	Resource, Source, Shop string
	// Row means that it holds a row as received, which has no identity. What follows below, but for Kept and Attempt, is then empty.
	Row bool
	// Key is the record's key; empty when its headers are not juliu's.
	Key string
	// Version is the record's version as the header Jst-Version shows it.
	Version string
	// Subject and Sequence are where the record stood first, Stored is when it was stored there.
	Subject  string
	Sequence uint64
	Stored   time.Time
	// Consumer is whose loaders gave it up, Deliveries after how many tries.
	Consumer   string
	Deliveries int
	// Attempt counts how often the record was dead-lettered, from 1.
	Attempt int
	// Kept is when it was given up last.
	Kept time.Time

	// earlier are older letters of the same record.
	earlier []uint64
	// arrived is when the letter was stored, which with ID names it for ever.
	arrived time.Time
	version record.Version
}

// Letters are all dead letters, oldest first, learnt by one pass over headers. Errors: *TopologyError, *PermissionError.
func Letters(ctx context.Context, c *Conn) ([]Letter, error) {
	s, err := c.stream(ctx, DeadLetterStream)
	if err != nil {
		return nil, err
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return nil, nil
	}
	var letters []Letter
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{deadLetterPrefix + ">"}, HeadersOnly: true}
	err = c.Scan(ctx, DeadLetterStream, cfg, state.LastSeq, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		letters = append(letters, readLetter(m.Subject(), m.Headers(), meta.Sequence.Stream, meta.Timestamp.UTC()))
		return true, nil
	})
	return lastAttempts(letters), err
}

// readLetter reads what it can; who looks at dead letters wants to see the damaged one too.
func readLetter(subject string, h nats.Header, sequence uint64, arrived time.Time) Letter {
	l := Letter{
		ID: sequence, Class: h.Get(HeaderClass), Reason: h.Get(HeaderReason), Row: h.Get(HeaderContent) == contentRow,
		Subject: h.Get(HeaderSubject), Stored: headerTime(h, HeaderFirst), Consumer: h.Get(HeaderConsumer),
		Version: h.Get(HeaderVersion), Attempt: 1, Kept: headerTime(h, HeaderLast), arrived: arrived,
	}
	address := append(strings.Split(strings.TrimPrefix(subject, deadLetterPrefix), "."), "", "", "")
	l.Resource, l.Source, l.Shop = unescaped(address[0]), unescaped(address[1]), unescaped(address[2])
	l.Sequence, _ = strconv.ParseUint(h.Get(HeaderSequence), 10, 64)
	l.Deliveries, _ = strconv.Atoi(h.Get(HeaderDeliveries))
	if n, err := strconv.Atoi(h.Get(HeaderAttempt)); err == nil {
		l.Attempt = n
	}
	if id, err := readIdentity(h); err == nil {
		l.Key, l.version = id.key, id.version
	}
	if l.Kept.IsZero() {
		l.Kept = arrived
	}
	return l
}

func headerTime(h nats.Header, name string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, h.Get(name))
	return t.UTC()
}

// unescaped is the text of a token, or the token itself when nobody escaped it.
func unescaped(token string) string {
	if text, err := Unescape(token); err == nil {
		return text
	}
	return token
}

// lastAttempts keeps one letter for each record: the last, which knows the earlier ones.
func lastAttempts(letters []Letter) []Letter {
	type origin struct {
		subject  string
		sequence uint64
		stored   int64 // a stream made anew counts from the start
	}
	last := map[origin]int{}
	kept := make([]bool, len(letters))
	for i := range letters {
		l := &letters[i]
		kept[i] = true
		if l.Row || l.Sequence == 0 {
			continue
		}
		o := origin{l.Subject, l.Sequence, l.Stored.UnixNano()}
		if before, ok := last[o]; ok {
			l.earlier = append(slices.Clone(letters[before].earlier), letters[before].ID)
			l.Attempt = max(l.Attempt, letters[before].Attempt)
			kept[before] = false
		}
		last[o] = i
	}
	var result []Letter
	for i, l := range letters {
		if kept[i] {
			result = append(result, l)
		}
	}
	return result
}

// ErrNoLetter means that a letter is not there: it was requeued, dropped, or has expired.
var ErrNoLetter = errors.New("no such dead letter, or no more")

// ReadLetter reads what a letter holds: a record, or of a row the record's Source, Resource, Shop and Raw alone. Its Err says why a
// record cannot be read. The delivery ends nothing and needs no Ack. Errors: ErrNoLetter.
func ReadLetter(ctx context.Context, c *Conn, l Letter) (Delivery, error) {
	d := Delivery{Subject: l.Subject, Sequence: l.Sequence, Published: l.Stored}
	m, err := c.message(ctx, DeadLetterStream, l.ID)
	if err != nil {
		return d, err
	}
	if m == nil {
		return d, fmt.Errorf("read dead letter %d: %w", l.ID, ErrNoLetter)
	}
	if l.Row {
		d.Record = record.Record{Source: l.Source, Resource: l.Resource, Shop: l.Shop}
		d.Record.Raw, err = c.body(ctx, m.Header, m.Data)
	} else {
		d.Record, err = c.readRecord(ctx, m.Header, m.Data)
	}
	if unreadable(err) {
		d.Err, err = err, nil
	}
	return d, err
}
