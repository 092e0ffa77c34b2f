package loader_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// later hands over one delivery, and the others after a while.
type later struct{ script }

// Run hands over the deliveries.
func (l later) Run(intake, work context.Context, room func(context.Context) int, handle func(stream.Delivery)) error {
	handle(l.script[0])
	<-time.After(50 * time.Millisecond)
	return l.script[1:].Run(intake, work, room, handle)
}

func TestABatchWaitsForOthersAsLongAsTheSinkLikes(t *testing.T) {
	t.Parallel()
	s := &recorder{size: 3, wait: time.Hour}
	r := run(t, loader.Deps{
		Consumer: later{script{delivery(t, 1, 1), delivery(t, 2, 1), delivery(t, 3, 1), delivery(t, 4, 1)}}, DeadLetters: &letters{}, Sink: s,
		Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
	}, func(c *loader.Config) { c.Workers = 1 })
	until(t, "three are written", func() bool { n, _ := s.count(); return n == 3 })
	r.stop(t) // which does not wait an hour for the fourth one's batch
	if want := [][]uint64{{1, 2, 3}, {4}}; !slices.EqualFunc(s.batches, want, slices.Equal) {
		t.Errorf("batches %v, want %v", s.batches, want)
	}
}

func TestABatchHoldsNoMoreThanEightMebibytes(t *testing.T) {
	t.Parallel()
	var all script
	for key := range 5 {
		d := delivery(t, key+1, 1)
		d.Size = 3 << 20
		all = append(all, d)
	}
	all[4].Size = 20 << 20
	s := &recorder{wait: time.Hour}
	r := runScript(t, s, &letters{}, all...)
	until(t, "four are written", func() bool { n, _ := s.count(); return n == 4 })
	r.stop(t)
	if want := [][]uint64{{1, 2}, {3, 4}, {5}}; !slices.EqualFunc(s.batches, want, slices.Equal) {
		t.Errorf("batches %v, want %v", s.batches, want)
	}
}

func TestABatchIsWrittenWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	s := &recorder{size: 3, wait: time.Millisecond}
	r := runScript(t, s, &letters{}, delivery(t, 1, 1))
	until(t, "one is written", func() bool { n, _ := s.count(); return n == 1 })
	r.stop(t)
}

func TestASinkThatPanicsAtOneRecordTakesTheOthers(t *testing.T) {
	t.Parallel()
	s := &recorder{size: 4, wait: time.Hour, answer: func(_ context.Context, batch []record.Record) error {
		for _, one := range batch {
			if one.Key == "2" {
				panic("its name is 王小明")
			}
		}
		return nil
	}}
	l := &letters{}
	r := runScript(t, s, l, delivery(t, 1, 1), delivery(t, 2, 1), delivery(t, 3, 1), delivery(t, 4, 1))
	until(t, "three are written", func() bool { n, _ := s.count(); return n == 3 && r.Stats().Retried == 1 })
	r.stop(t)
	if len(s.batches[0]) != 4 || s.written[2] != 0 || l.count() != 0 {
		t.Errorf("written %v, %d dead letters; want all but the second, which comes again", s.written, l.count())
	}
}

func TestADeliveryThatNobodySettledIsKeptUnread(t *testing.T) {
	t.Parallel()
	for attempts, last := range map[int]int{1: 20, 10: 20, 11: 22} {
		t.Run(fmt.Sprintf("%d attempts", attempts), func(t *testing.T) {
			t.Parallel()
			s, l := &recorder{}, &letters{}
			r := run(t, loader.Deps{
				Consumer: script{delivery(t, 1, last), delivery(t, 2, last+1)}, DeadLetters: l, Sink: s, Lag: noLag, Log: quiet(),
				Registerer: prometheus.NewRegistry(),
			}, func(c *loader.Config) { c.MaxAttempts = attempts })
			until(t, "one is written and one is kept", func() bool { n, _ := s.count(); return n == 1 && l.count() == 1 })
			r.stop(t)
			if s.written[1] != 1 || !slices.Equal(l.kept, []string{"unsettled"}) {
				t.Errorf("written %v, kept as %v; want delivery %d written, the one after it unsettled", s.written, l.kept, last)
			}
		})
	}
}

func TestWhatIsInHandIsNotTakenASecondTime(t *testing.T) {
	t.Parallel()
	returned, gate := make(chan struct{}), make(chan struct{})
	s := &recorder{size: 1, answer: func(context.Context, []record.Record) error { <-gate; return nil }}
	twice := script{delivery(t, 1, 1), delivery(t, 2, 1), delivery(t, 1, 2), delivery(t, 2, 2), delivery(t, 3, 1)}
	r := run(t, loader.Deps{
		Consumer: ending{twice, returned}, DeadLetters: &letters{}, Sink: s, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
	})
	<-returned
	close(gate)
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
	if different, writes := s.count(); different != 3 || writes != 3 {
		t.Errorf("%d writes of %d records, want 3 of 3", writes, different)
	}
}

// again hands over deliveries, round after round, each when those of the round before came to nothing.
type again struct {
	script

	rounds []script
	failed func() uint64
}

// Run hands over the deliveries.
func (a again) Run(intake, work context.Context, room func(context.Context) int, handle func(stream.Delivery)) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	want := uint64(0)
	for _, round := range a.rounds {
		for a.failed() < want && intake.Err() == nil {
			<-tick.C
		}
		for _, d := range round {
			handle(d)
		}
		want += uint64(len(round))
	}
	return a.script.Run(intake, work, room, handle)
}

func TestARecordThatFailedTwiceHereIsWrittenAlone(t *testing.T) {
	t.Parallel()
	s := &recorder{size: 2, wait: time.Hour, answer: func(_ context.Context, batch []record.Record) error {
		if len(batch) > 1 || batch[0].Key == "1" {
			return errors.New("no")
		}
		return nil
	}}
	pair := func(attempt int) script { return script{delivery(t, 1, attempt), delivery(t, 2, attempt)} }
	var r *running
	ready := make(chan struct{})
	r = run(t, loader.Deps{
		Consumer:    again{rounds: []script{pair(1), pair(2), pair(3)}, failed: func() uint64 { <-ready; return r.Stats().Retried }},
		DeadLetters: &letters{}, Sink: s, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
	}, func(c *loader.Config) { c.Workers = 1 })
	close(ready)
	until(t, "the second is written", func() bool { return r.Stats().Written == 1 })
	r.stop(t)
	if want := [][]uint64{{1, 2}, {1, 2}, {1}, {2}}; !slices.EqualFunc(s.batches, want, slices.Equal) {
		t.Errorf("batches %v, want %v", s.batches, want)
	}
}

func TestABatchErrorThatNamesNoRecordOfTheBatchAcknowledgesNone(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	for name, answer := range map[string]*sink.BatchError{
		"an index behind the batch":  {Failed: map[int]error{2: no}},
		"an index before it":         {Failed: map[int]error{-1: no}},
		"one that is and one is not": {Failed: map[int]error{0: no, 2: no}},
		"a record without a cause":   {Failed: map[int]error{0: nil}},
		"no record":                  {},
		"no error at all":            nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &recorder{size: 2, wait: time.Hour, answer: func(context.Context, []record.Record) error { return answer }}
			r := runScript(t, s, &letters{}, delivery(t, 1, 1), delivery(t, 2, 1))
			until(t, "both are settled", func() bool { return r.Stats().Written+r.Stats().Retried == 2 })
			r.stop(t)
			if got := r.Stats(); got != (loader.Stats{Retried: 2}) {
				t.Errorf("stats %+v, want both to come again", got)
			}
		})
	}
}

func TestFewAttemptsDoNotMakeStopsDeadLetters(t *testing.T) {
	t.Parallel()
	s, l := &recorder{}, &letters{}
	r := run(t, loader.Deps{
		Consumer: script{delivery(t, 1, 3), delivery(t, 2, 20), delivery(t, 3, 21)}, DeadLetters: l, Sink: s, Lag: noLag, Log: quiet(),
		Registerer: prometheus.NewRegistry(),
	}, func(c *loader.Config) { c.Workers, c.MaxAttempts = 1, 1 })
	until(t, "two are written and one is kept", func() bool { n, _ := s.count(); return n == 2 && l.count() == 1 })
	r.stop(t)
	if s.written[3] != 0 || !slices.Equal(l.kept, []string{"unsettled"}) {
		t.Errorf("written %v, kept as %v; want the twenty-first delivery unsettled", s.written, l.kept)
	}
}

func TestWhatComesAgainForWantOfDeadLettersIsNotUnsettled(t *testing.T) {
	t.Parallel()
	s := &recorder{answer: func(context.Context, []record.Record) error { return sink.ErrRejected }}
	l := &letters{err: errors.New("stream full")}
	var tries atomic.Uint64
	r := run(t, loader.Deps{
		Consumer: insisting{delivery(t, 1, 20), delivery(t, 1, 21)}, Sink: s, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
		DeadLetters: keeper{letters: l, before: func() {
			if tries.Add(1) == 2 {
				l.mu.Lock()
				l.err = nil
				l.mu.Unlock()
			}
		}},
	})
	until(t, "it is kept", func() bool { return l.count() > 0 })
	r.stop(t)
	if l.kept[0] != "rejected" {
		t.Errorf("kept as %v, want rejected", l.kept)
	}
}

// insisting hands over the first delivery once, and the second again and again.
type insisting struct{ first, second stream.Delivery }

// AckWait is that of the live consumer.
func (insisting) AckWait() time.Duration { return 30 * time.Second }

// Run hands over the deliveries.
func (i insisting) Run(intake, _ context.Context, _ func(context.Context) int, handle func(stream.Delivery)) error {
	handle(i.first)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-intake.Done():
			return nil
		case <-tick.C:
			handle(i.second)
		}
	}
}

// keeper does something before it keeps.
type keeper struct {
	*letters

	before func()
}

// KeepDelivery keeps.
func (k keeper) KeepDelivery(ctx context.Context, d stream.Delivery, reason, class string) error {
	k.before()
	return k.letters.KeepDelivery(ctx, d, reason, class)
}
