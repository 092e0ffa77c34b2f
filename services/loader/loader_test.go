package loader_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/services/loader"
)

func TestLoadersShareTheWorkAndNoneStarves(t *testing.T) {
	t.Parallel()
	for _, loaders := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d loaders", loaders), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			const stored = 3000
			b.store(t, orders(t, stored)...)
			// Nobody finishes a write before everybody has begun one: each gets a share though the others hold all they can.
			var begun sync.WaitGroup
			begun.Add(loaders)
			all := make(chan struct{})
			go func() { begun.Wait(); close(all) }()
			var (
				sinks []*recorder
				runs  []*running
			)
			for range loaders {
				var once sync.Once
				s := &recorder{answer: func(ctx context.Context, _ []record.Record) error {
					once.Do(begun.Done)
					select {
					case <-all:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}}
				sinks, runs = append(sinks, s), append(runs, b.start(t, s))
			}
			b.untilLoaded(t)
			different, writes, counted := 0, 0, uint64(0)
			for i, r := range runs {
				r.stop(t)
				d, w := sinks[i].count()
				different, writes, counted = different+d, writes+w, counted+r.Stats().Written
				if len(sinks[i].faults) > 0 || sinks[i].closed != 1 {
					t.Errorf("loader %d: closed %d times, faults: %v", i, sinks[i].closed, sinks[i].faults)
				}
			}
			if different != stored || writes != stored || counted != stored {
				t.Errorf("%d different records, %d writes, %d counted; want %d each", different, writes, counted, stored)
			}
		})
	}
}

func TestOneKeyIsWrittenInOrderByOneWorkerAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const keys, versions = 37, 50 // no multiple of the workers: neighbours on the stream are no neighbours of a worker
	var all []record.Record
	for ts := range versions {
		for key := range keys {
			all = append(all, order(t, key+1, ts+1))
		}
	}
	b.store(t, all...)
	s := &recorder{size: 7, answer: func(context.Context, []record.Record) error { runtime.Gosched(); return nil }}
	r := b.start(t, s, func(c *loader.Config) { c.Workers = 8 })
	b.untilLoaded(t)
	r.stop(t)
	if len(s.faults) > 0 {
		t.Errorf("faults: %v", slices.Compact(s.faults))
	}
	for key, history := range s.history {
		if len(history) != versions || !slices.IsSorted(history) {
			t.Errorf("key %s: %d versions, sorted %t; want %d in the stream's order", key, len(history), slices.IsSorted(history), versions)
		}
	}
}

func TestAFailedRecordComesAgainAndTheOthersDoNot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var failed atomic.Bool
	s := &recorder{answer: func(_ context.Context, batch []record.Record) error {
		for i, one := range batch {
			if one.Key == "5" && failed.CompareAndSwap(false, true) {
				return &sink.BatchError{Failed: map[int]error{i: errors.New("deadlock")}}
			}
		}
		return nil
	}}
	b.store(t, orders(t, 20)...)
	r := b.start(t, s)
	b.untilLoaded(t)
	r.stop(t)
	stats := r.Stats()
	if stats.Written != 20 || stats.Retried == 0 || stats.Rejected != 0 {
		t.Errorf("stats %+v, want 20 written, 1 retried, 0 rejected", stats)
	}
}

func TestARecordThatFailsTooOftenIsDeadLettered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &recorder{answer: refuse("5", errors.New("constraint violated"))}
	b.store(t, orders(t, 20)...)
	r := b.start(t, s, func(c *loader.Config) { c.MaxAttempts = 3 })
	b.untilLoaded(t)
	r.stop(t)
	if stats := r.Stats(); stats.Rejected != 1 || stats.Written != 19 {
		t.Errorf("stats %+v, want 19 written, 1 rejected", stats)
	}
	if got := b.snapshot(t).DeadLetters; got != 1 {
		t.Errorf("%d dead letters, want 1", got)
	}
	if last := s.batches[len(s.batches)-1]; len(last) != 1 {
		t.Errorf("the last attempt took %d records along, want it alone", len(last)-1)
	}
}

// refuse fails each batch that holds the key, as a sink does that writes a batch in one transaction.
func refuse(key string, err error) func(context.Context, []record.Record) error {
	return func(_ context.Context, batch []record.Record) error {
		if slices.ContainsFunc(batch, func(r record.Record) bool { return r.Key == key }) {
			return err
		}
		return nil
	}
}

func TestARefusedRecordIsDeadLetteredAtOnceAndAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &recorder{answer: refuse("5", fmt.Errorf("value too long: %w", sink.ErrRejected))}
	b.store(t, orders(t, 200)...)
	r := b.start(t, s, func(c *loader.Config) { c.Workers = 1 })
	b.untilLoaded(t)
	r.stop(t)
	if stats := r.Stats(); stats.Rejected != 1 || stats.Written != 199 || stats.Retried != 0 {
		t.Errorf("stats %+v, want 199 written, 1 rejected, 0 retried", stats)
	}
	if got := b.snapshot(t).DeadLetters; got != 1 {
		t.Errorf("%d dead letters, want 1", got)
	}
}

func TestWhileTheSinkIsDownNothingIsLostPulledOrCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const stored = 2000
	b.store(t, orders(t, stored)...)
	var tries atomic.Int64
	var up atomic.Bool
	s := &recorder{answer: func(context.Context, []record.Record) error {
		if up.Load() {
			return nil
		}
		tries.Add(1)
		return &sink.UnavailableError{Cause: errors.New("connection refused")}
	}}
	r := b.start(t, s, func(c *loader.Config) { c.MaxAttempts = 1 })
	until(t, "every worker has tried twice", func() bool { return tries.Load() >= 8 })
	if got := b.snapshot(t); got.AckPending > loader.MostHeld || got.Lag() != stored {
		t.Errorf("%d records on the way of %d not loaded, want at most %d of %d", got.AckPending, got.Lag(), loader.MostHeld, stored)
	}
	up.Store(true)
	b.untilLoaded(t)
	r.stop(t)
	if stats := r.Stats(); stats.Written != stored || stats.Retried != 0 || stats.Rejected != 0 {
		t.Errorf("stats %+v, want %d written and nothing else", stats, stored)
	}
}

func TestAnOutageOfSomeRecordsHoldsThoseAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var once atomic.Bool
	s := &recorder{answer: func(_ context.Context, batch []record.Record) error {
		if len(batch) > 1 && once.CompareAndSwap(false, true) {
			return &sink.BatchError{Failed: map[int]error{0: &sink.UnavailableError{Cause: errors.New("shard down"), RetryAfter: time.Millisecond}}}
		}
		return nil
	}}
	b.store(t, orders(t, 300)...)
	r := b.start(t, s, func(c *loader.Config) { c.Workers = 1 })
	b.untilLoaded(t)
	r.stop(t)
	if different, _ := s.count(); different != 300 || r.Stats().Written != 300 || r.Stats().Retried != 0 {
		t.Errorf("%d different records, stats %+v; want 300 written once, 0 retried", different, r.Stats())
	}
}

func TestARecordThatTheSinkIsNeverWellEnoughForHoldsNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const stored = 3000
	s := &recorder{size: 1, answer: refuse("5", &sink.UnavailableError{Cause: errors.New("HTTP 503")})}
	b.store(t, orders(t, stored)...)
	r := b.start(t, s)
	until(t, "all others are written", func() bool { n, _ := s.count(); return n == stored-1 })
	for key := stored; r.Stats().Retried == 0; key++ { // orders go on coming, which shows that it is that one's fault
		b.store(t, order(t, key+1, 1))
		until(t, "it is written", func() bool { n, _ := s.count(); return n == key })
	}
	r.work()
	if stats := r.Stats(); stats.Retried == 0 || stats.Rejected != 0 {
		t.Errorf("stats %+v, want it retried", stats)
	}
}

func TestStoppingFinishesWhatIsInHandAndTheNextLoaderTakesTheRest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const stored = 3000
	b.store(t, orders(t, stored)...)
	release := make(chan struct{})
	first := &recorder{size: 5, answer: func(ctx context.Context, _ []record.Record) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	r := b.start(t, first)
	until(t, "the loader holds all it can", func() bool { return b.snapshot(t).AckPending >= 40 })
	r.intake()
	close(release)
	r.stop(t)
	done, _ := first.count()
	until(t, "the acknowledgements have arrived", func() bool { return b.snapshot(t).AckPending == 0 })
	if done == 0 || done == stored {
		t.Errorf("the first loader wrote %d records, want some of %d", done, stored)
	}
	second := &recorder{}
	next := b.start(t, second)
	b.untilLoaded(t)
	next.stop(t)
	more, _ := second.count()
	if done+more != stored {
		t.Errorf("%d and %d records written, want %d together: none twice, none lost", done, more, stored)
	}
	for sequence := range first.written {
		if second.written[sequence] > 0 {
			t.Fatalf("record %d was written by both", sequence)
		}
	}
}

func TestWhenWorkEndsTheLoaderLetsGoUnacknowledged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, orders(t, 100)...)
	s := &recorder{answer: func(ctx context.Context, _ []record.Record) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	r := b.start(t, s)
	until(t, "a write hangs", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.batches) > 0 })
	r.intake()
	r.work()
	if err := r.wait(t); err != nil {
		t.Errorf("run: %v, want nil", err)
	}
	if stats := r.Stats(); stats != (loader.Stats{}) {
		t.Errorf("stats %+v, want nothing settled", stats)
	}
	if got := b.snapshot(t).Lag(); got != 100 {
		t.Errorf("%d records not loaded, want all 100", got)
	}
}

// The server gives a delivery to somebody else after 30 seconds of silence, so this takes a little longer.
func TestASlowWriteIsNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const stored = 300
	b.store(t, orders(t, stored)...)
	slow := time.NewTimer(33 * time.Second)
	defer slow.Stop()
	passed := make(chan struct{})
	go func() { <-slow.C; close(passed) }()
	s := &recorder{answer: func(context.Context, []record.Record) error { <-passed; return nil }}
	r := b.start(t, s)
	b.untilLoaded(t)
	r.stop(t)
	if _, writes := s.count(); writes != stored {
		t.Errorf("%d writes of %d records, want each once", writes, stored)
	}
}
