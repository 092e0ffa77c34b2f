package loader_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// late is a sink that notes how long after it was stored each new record was written.
type late struct {
	mu   sync.Mutex
	from uint64
	late []time.Duration
}

// Batch is up to 500 records.
func (*late) Batch() sink.Batch { return sink.Batch{Records: 500} }

// Close does nothing.
func (*late) Close(context.Context) error { return nil }

// Write notes what was stored since the last look.
func (l *late) Write(_ context.Context, batch []record.Record) error {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range batch {
		if r.Sequence > l.from {
			l.late = append(l.late, now.Sub(r.Published))
		}
	}
	return nil
}

// look is the median and the 99th percentile since the last look, and begins anew behind a sequence.
func (l *late) look(from uint64) (time.Duration, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.late)
	var median, high time.Duration
	if n := len(l.late); n > 0 {
		median, high = l.late[n/2], l.late[n*99/100]
	}
	l.from, l.late = from, nil
	return median, high
}

// BenchmarkLiveBesideReplay is how late live records are written, 500 a second, without and beside a replay.
func BenchmarkLiveBesideReplay(b *testing.B) {
	s := setup(b)
	fill(b, s)
	target := &late{}
	s.startReplayer(b, target, func(c *loader.Config) { c.Workers = 8 })
	key := 10_000_000
	// live stores for five seconds what the merchant's day brings.
	live := func() (time.Duration, time.Duration) {
		target.look(s.snapshot(b).LastSequence)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 50 {
			page := make([]record.Record, 50)
			for i := range page {
				key++
				page[i] = order(b, key, 1, `,"remark":"`+strings.Repeat("大", 500)+`"`)
			}
			s.store(b, page...)
			<-tick.C
		}
		s.untilLoaded(b)
		return target.look(0)
	}
	var alone, beside, alone99, beside99 time.Duration
	for b.Loop() {
		median, high := live()
		alone, alone99 = alone+median, alone99+high
		job := s.replay(b, stream.ReplayQuery{}, loader.Replay{})
		median, high = live()
		beside, beside99 = beside+median, beside99+high
		if !s.await(b, job.ID, func(control.Job) bool { return true }).State.Ended() {
			s.move(b, job.ID, control.Cancelled)
			if err := stream.RemoveReplay(b.Context(), s.conn, job.ID, stream.ReplayPlan{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for name, d := range map[string]time.Duration{"alone-p50": alone, "alone-p99": alone99, "beside-p50": beside, "beside-p99": beside99} {
		b.ReportMetric(d.Seconds()*1000/float64(b.N), name+"-ms")
	}
}
