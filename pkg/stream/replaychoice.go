package stream

import (
	"cmp"
	"context"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/logging"
)

// place is where a chosen record stands: on the stream, and among those that the server hands out.
type place struct{ sequence, number uint64 }

// chooser goes over the records and keeps the chosen ones.
type chooser struct {
	ReplayQuery

	passed uint64
	chosen []place
	newest map[string]map[knownKey]candidate // by source and resource
}

// candidate is the newest record of a key so far.
type candidate struct {
	place

	row     knownRow
	matches bool
}

// chooseReplay goes over the records that the server would hand out.
func (c *Conn) chooseReplay(ctx context.Context, start jetstream.OrderedConsumerConfig, q ReplayQuery, plan *ReplayPlan) error {
	ch := chooser{ReplayQuery: q, newest: map[string]map[knownKey]candidate{}}
	start.HeadersOnly = q.Match == nil
	last := plan.Last
	plan.Last = 0
	err := c.scan(ctx, start, last, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		ch.passed++
		id, err := readIdentity(m.Headers())
		if err != nil {
			c.log.WithError(err).WithField(logging.Sequence, meta.Sequence.Stream).Warn("a record's headers are not readable; leaving it out")
			return true, nil
		}
		if q.Key != "" && id.key != q.Key {
			return true, nil
		}
		matches := true
		if q.Match != nil {
			d, err := c.newDelivery(m, meta).Read(ctx)
			if err != nil {
				return false, err
			}
			matches = d.Err == nil && q.Match(d.Record)
		}
		ch.see(owner(m.Subject()), id, place{meta.Sequence.Stream, ch.passed}, matches)
		return true, nil
	})
	if err != nil {
		return err
	}
	ch.finish(plan)
	return nil
}

// see takes one record.
func (ch *chooser) see(owner string, id identity, at place, matches bool) {
	if !ch.Newest {
		if matches {
			ch.chosen = append(ch.chosen, at)
		}
		return
	}
	if ch.newest[owner] == nil {
		ch.newest[owner] = map[knownKey]candidate{}
	}
	key := shorten(id.key)
	if have, ok := ch.newest[owner][key]; !ok || id.version.Compare(have.row.version()) >= 0 {
		ch.newest[owner][key] = candidate{at, rowOf(id.version, id.hash), matches}
	}
}

// finish puts the chosen ones into the plan.
func (ch *chooser) finish(plan *ReplayPlan) {
	for _, keys := range ch.newest {
		for _, one := range keys {
			if one.matches {
				ch.chosen = append(ch.chosen, one.place)
			}
		}
	}
	if len(ch.chosen) == 0 {
		return
	}
	slices.SortFunc(ch.chosen, func(a, b place) int { return cmp.Compare(a.sequence, b.sequence) })
	first, last := ch.chosen[0], ch.chosen[len(ch.chosen)-1]
	plan.First, plan.Last = first.sequence, last.sequence
	plan.Passed, plan.Chosen = last.number-first.number+1, uint64(len(ch.chosen))
	if plan.Listed = plan.Chosen < plan.Passed; !plan.Listed {
		return
	}
	plan.wanted = &sequences{}
	for _, one := range ch.chosen {
		plan.wanted.add(one.sequence)
	}
}
