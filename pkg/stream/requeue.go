package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/failpoint"
	"juliu/pkg/record"
)

// Outcome is what became of a letter, or what requeuing means for it.
type Outcome string

const (
	// Requeued means that its record is given to the loaders again.
	Requeued Outcome = "requeued"
	// Superseded means that a newer version of the order, or the same version with amended content, is stored: the letter is removed.
	Superseded Outcome = "superseded"
	// Finished means that an earlier try, cut off before its end, has given the record to the loaders: the letter is removed.
	Finished Outcome = "finished"
	// Unloadable means that it holds no record, such as a row without identity: the letter stays.
	Unloadable Outcome = "unloadable"
	// Gone means that somebody else removed the letter meanwhile, by whatever means.
	Gone Outcome = "gone"
	// Dropped means that Drop removed it.
	Dropped Outcome = "dropped"
)

// clockMargin is how far the clocks of a cluster's servers may differ: a pass begins so much before the oldest letter's record.
const clockMargin = time.Minute

// Requeue gives the records of dead letters to the loaders again: as copies on a subject beside the record's own, so that the records stay
// what the extractor made them. Its promises:
//
// A copy is published only while no newer version of its order is stored: the server compares the last sequence of the order's partition
// with what was looked at. A copy has an id of its own, made of the letter, and the letter is deleted after it is stored. So a
// requeue that is cut off loses nothing, and the next one finds the copy and adds no second one.
//
// It is not safe for concurrent use; several processes may requeue the same letters.
type Requeue struct {
	conn   *Conn
	newest map[string]sighting // by lane and key
	copies map[string]bool     // ids
	last   map[string]uint64   // by lane: the sequence of its last record
	seen   uint64              // all lanes were looked at up to this sequence
}

// sighting is a version on the stream.
type sighting struct {
	version record.Version
	at      time.Time
}

// PlanRequeue learns what is stored of the letters' orders, by one pass over the headers of their partitions since the oldest of their
// records: a newer version is never stored before an older one. Errors: *TopologyError, *PermissionError.
func PlanRequeue(ctx context.Context, c *Conn, letters []Letter) (*Requeue, error) {
	r := &Requeue{conn: c, newest: map[string]sighting{}, copies: map[string]bool{}, last: map[string]uint64{}}
	var since time.Time
	var lanes []string
	for _, l := range letters {
		lane := l.lane()
		if lane == "" {
			continue
		}
		if since.IsZero() || l.Stored.Before(since) {
			since = l.Stored
		}
		if _, ok := r.last[lane]; !ok {
			r.last[lane] = 0
			lanes = append(lanes, lane)
		}
		if known, ok := r.newest[lane+l.Key]; !ok || l.version.Compare(known.version) > 0 {
			r.newest[lane+l.Key] = sighting{version: l.version, at: l.Stored}
		}
	}
	if len(lanes) == 0 {
		return r, nil
	}
	since = since.Add(-clockMargin)
	return r, r.look(ctx, lanes, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since})
}

// lane matches the records of the letter's partition, of whichever shop; "" when the letter holds no record.
func (l Letter) lane() string {
	if l.Stored.IsZero() {
		return "" // whoever wrote it was not juliu
	}
	return laneOf(l.Subject)
}

func laneOf(subject string) string {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 6 || !strings.HasPrefix(subject, recordPrefix) {
		return ""
	}
	tokens[4] = "*"
	return strings.Join(tokens, ".")
}

// look notes what is stored on the lanes from where cfg begins. The ends are asked for first: what comes later moves them, and is found by
// the server when a copy is published.
func (r *Requeue) look(ctx context.Context, lanes []string, cfg jetstream.OrderedConsumerConfig) error {
	var end jetstream.RawStreamMsg
	for _, lane := range lanes {
		for _, filter := range []string{lane, lane + requeueSuffix} {
			m, err := r.conn.lastMatch(ctx, filter)
			if err != nil {
				return err
			}
			if m != nil && filter == lane {
				r.last[lane] = m.Sequence
			}
			if m != nil && m.Sequence > end.Sequence {
				end = *m
			}
			cfg.FilterSubjects = append(cfg.FilterSubjects, filter)
		}
	}
	if len(lanes) == len(r.last) {
		r.seen = max(r.seen, end.Sequence)
	}
	if end.Sequence == 0 || end.Sequence < cfg.OptStartSeq || cfg.OptStartTime != nil && end.Time.Before(*cfg.OptStartTime) {
		return nil
	}
	cfg.HeadersOnly = true
	return r.conn.scan(ctx, cfg, end.Sequence, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		r.see(m.Subject(), m.Headers(), meta.Timestamp)
		return true, nil
	})
}

// see notes one message's headers.
func (r *Requeue) see(subject string, h nats.Header, at time.Time) {
	if strings.HasSuffix(subject, requeueSuffix) {
		r.copies[h.Get(jetstream.MsgIDHeader)] = true
		return
	}
	id, err := readIdentity(h)
	if err != nil {
		return // not written by juliu, so no version of an order
	}
	key := laneOf(subject) + id.key
	if known, ok := r.newest[key]; ok && id.version.Compare(known.version) >= 0 {
		r.newest[key] = sighting{version: id.version, at: at}
	}
}

// Outcome is what requeuing the letter would mean by what was seen last.
func (r *Requeue) Outcome(l Letter) Outcome {
	newest, ok := r.newest[l.lane()+l.Key]
	order := newest.version.Compare(l.version)
	switch {
	case l.Row || !ok:
		return Unloadable
	case r.copies[l.copyID()]:
		return Finished
	case l.Key != "" && (order > 0 || order == 0 && newest.at.After(l.Stored)):
		return Superseded
	default:
		return Requeued
	}
}

// copyID names the copy of a letter: another letter, also of the same record, has another, and a stream made anew has other times.
func (l Letter) copyID() string { return fmt.Sprintf("requeue/%d/%d", l.ID, l.arrived.UnixNano()) }

// Run requeues the letters, one after the other, and tells what became of each. Everything is noted in the audit stream before
// it is done. After an error, also ErrFull, run it again: what was done is not done twice.
func (r *Requeue) Run(ctx context.Context, who string, letters []Letter, told func(Letter, Outcome) error) error {
	// Somebody may have thought about the plan for long: a copy that another tool made since has no fence, and the server forgets its id.
	from := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.seen + 1}
	if err := r.look(ctx, slices.Collect(maps.Keys(r.last)), from); err != nil {
		return err
	}
	planned := map[Outcome][]Letter{}
	for _, l := range letters {
		outcome := r.Outcome(l)
		planned[outcome] = append(planned[outcome], l)
	}
	again := slices.Concat(planned[Requeued], planned[Finished])
	if err := errors.Join(r.conn.audit(ctx, who, ActRequeue, again), r.conn.audit(ctx, who, ActSupersede, planned[Superseded])); err != nil {
		return err
	}
	failpoint.Hit("requeue-noted")
	for _, l := range letters {
		outcome, err := r.settle(ctx, who, l)
		if err != nil {
			return fmt.Errorf("requeue dead letter %d: %w", l.ID, err)
		}
		if err := told(l, outcome); err != nil {
			return err
		}
	}
	return nil
}

func (r *Requeue) settle(ctx context.Context, who string, l Letter) (Outcome, error) {
	outcome := r.Outcome(l)
	if outcome == Unloadable {
		return outcome, nil
	}
	if outcome == Requeued {
		var err error
		if outcome, err = r.publish(ctx, l); err != nil || outcome == Gone {
			return outcome, err
		}
		if outcome == Superseded {
			if err := r.conn.audit(ctx, who, ActSupersede, []Letter{l}); err != nil {
				return outcome, err
			}
		}
		failpoint.Hit("requeue-published")
	}
	_, err := r.conn.removeLetter(ctx, l)
	failpoint.Hit("requeue-deleted")
	return outcome, err
}

// publish stores the copy unless a newer version was stored since the last look.
func (r *Requeue) publish(ctx context.Context, l Letter) (Outcome, error) {
	m, err := r.conn.copyOf(ctx, l)
	if err != nil || m == nil {
		return Gone, err
	}
	lane := l.lane()
	for {
		moved, err := r.conn.publishCopy(ctx, m, l, r.last[lane], lane)
		if err != nil || !moved {
			return Requeued, err
		}
		from := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.last[lane] + 1}
		if err := r.look(ctx, []string{lane}, from); err != nil {
			return Requeued, err
		}
		if outcome := r.Outcome(l); outcome != Requeued {
			return outcome, nil
		}
		if !pause(ctx, firstWait) {
			return Requeued, fmt.Errorf("wait for the extractor's commit: %w", context.Cause(ctx))
		}
	}
}
