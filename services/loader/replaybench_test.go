package loader_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// replayRecords is how many records of 2 to 4 KB the benchmark replays.
func replayRecords() int {
	if os.Getenv("JULIU_LONG") != "" {
		return 1_000_000
	}
	return 100_000
}

// BenchmarkReplay is how fast a replay to the no-op write is, by one and by two loaders, beside the fastest loops that take the same messages from the
// same kind of consumer and acknowledge them unread. All take turns in each round.
func BenchmarkReplay(b *testing.B) {
	s := setup(b)
	records := fill(b, s)
	took := map[string]time.Duration{}
	for b.Loop() {
		took["bare1"] += s.bareReplay(b, 1)
		took["one"] += s.timeReplay(b, 1)
		took["two"] += s.timeReplay(b, 2)
		took["bare2"] += s.bareReplay(b, 2)
	}
	b.ReportMetric(0, "ns/op")
	for name, d := range took {
		b.ReportMetric(float64(b.N)*float64(records)/d.Seconds(), name+"/s")
	}
	b.ReportMetric(100*took["bare1"].Seconds()/took["one"].Seconds(), "%")
	b.ReportMetric(took["one"].Seconds()/took["two"].Seconds(), "two/one")
	b.ReportMetric(took["bare1"].Seconds()/took["bare2"].Seconds(), "bare2/bare1")
}

// fill stores the records and loads them.
func fill(b *testing.B, s *bundle) int {
	b.Helper()
	n := replayRecords()
	page := make([]record.Record, 0, stream.MaxRecords)
	for i := range n {
		page = append(page, order(b, i+1, 1, `,"remark":"`+strings.Repeat("大", 500+i%700)+`"`))
		if len(page) == cap(page) || i == n-1 {
			s.store(b, page...)
			page = page[:0]
		}
	}
	l := s.start(b, &sink.Noop{}, func(c *loader.Config) { c.Workers = 8 })
	for s.snapshot(b).Lag() > 0 { // it asks the server each time
	}
	l.stop(b)
	return n
}

// timeReplay is how long it takes until a replay has been acknowledged.
func (b *bundle) timeReplay(tb testing.TB, loaders int) time.Duration {
	tb.Helper()
	crew := make([]*running, loaders)
	for i := range crew {
		crew[i] = b.startReplayer(tb, &sink.Noop{}, func(c *loader.Config) { c.Workers = 8 })
	}
	job := b.replay(tb, stream.ReplayQuery{}, loader.Replay{})
	began := time.Now()
	b.untilSettled(tb, stream.ReplayConsumer(job.ID))
	took := time.Since(began)
	b.await(tb, job.ID, ended)
	for _, l := range crew {
		l.stop(tb)
	}
	return took
}

// untilSettled waits until all of a durable is acknowledged.
func (b *bundle) untilSettled(tb testing.TB, durable string) {
	tb.Helper()
	k, err := b.conn.JetStream().Consumer(tb.Context(), stream.Stream, durable)
	for err == nil {
		info, infoErr := k.Info(tb.Context())
		if infoErr != nil || info.NumPending == 0 && info.NumAckPending == 0 {
			return // also when it is removed
		}
		select {
		case <-tb.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	tb.Fatal(err)
}

// bareReplay takes the same messages by loops that do the least.
func (b *bundle) bareReplay(tb testing.TB, loops int) time.Duration {
	tb.Helper()
	plan, err := stream.PlanReplay(tb.Context(), b.conn, stream.ReplayQuery{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := stream.CreateReplay(tb.Context(), b.conn, "bare", plan); err != nil {
		tb.Fatal(err)
	}
	began := time.Now()
	b.takeBare(tb, stream.ReplayConsumer("bare"), loops, plan.Passed)
	b.untilSettled(tb, stream.ReplayConsumer("bare"))
	took := time.Since(began)
	if err := stream.RemoveReplay(tb.Context(), b.conn, "bare", plan); err != nil {
		tb.Fatal(err)
	}
	return took
}
