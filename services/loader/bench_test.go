package loader_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"           //nolint:depguard // what the loader is compared with
	"github.com/nats-io/nats.go/jetstream" //nolint:depguard // likewise

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// BenchmarkLoad is how fast records of 3 KB come through a loader to the no-op write, the ceiling of every sink, beside the fastest loop
// that takes the same messages from the same kind of consumer and acknowledges them unread. Both run in turn, in each round.
func BenchmarkLoad(b *testing.B) {
	const records = 20_000
	all := make([]record.Record, records)
	for i := range all {
		all[i] = order(b, i+1, 1, `,"remark":"`+strings.Repeat("大", 900)+`"`)
	}
	var load, bare time.Duration
	for b.Loop() {
		bare += round(b, all, fetchAndAck)
		load += round(b, all, loadNoop)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.N*records)/load.Seconds(), "records/s")
	b.ReportMetric(float64(b.N*records)/bare.Seconds(), "bare/s")
	b.ReportMetric(100*bare.Seconds()/load.Seconds(), "%")
}

// round fills a stream and times how long it takes until it is acknowledged.
func round(b *testing.B, all []record.Record, take func(*testing.B, *bundle)) time.Duration {
	b.Helper()
	s := setup(b)
	s.store(b, all...)
	began := time.Now()
	take(b, s)
	s.untilLoaded(b)
	return time.Since(began)
}

func loadNoop(b *testing.B, s *bundle) {
	b.Helper()
	all := s.snapshot(b).Pending
	r := s.start(b, &sink.Noop{}, func(c *loader.Config) { c.Workers = 8 })
	until(b, "all are written", func() bool { return r.Stats().Written >= all })
}

// fetchAndAck takes what waits for the loaders by a loop that does the least.
func fetchAndAck(b *testing.B, s *bundle) {
	b.Helper()
	s.takeBare(b, stream.LiveConsumer, 1, s.snapshot(b).Pending)
}

// takeBare takes so many messages of a durable by loops that do the least that a consumer can do.
func (b *bundle) takeBare(tb testing.TB, durable string, loops int, count uint64) {
	tb.Helper()
	var taken atomic.Uint64
	done := make(chan struct{})
	for range loops {
		nc, err := nats.Connect(b.server.URL())
		if err != nil {
			tb.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			tb.Fatal(err)
		}
		k, err := js.Consumer(context.Background(), stream.Stream, durable)
		if err != nil {
			tb.Fatal(err)
		}
		consuming, err := k.Consume(func(m jetstream.Msg) {
			if err := m.Ack(); err == nil && taken.Add(1) == count {
				close(done)
			}
		})
		if err != nil {
			tb.Fatal(err)
		}
		defer consuming.Stop()
	}
	<-done
}

// picky refuses each record whose key ends so; "" refuses none. A batch takes it as long as a transaction.
type picky struct{ refused string }

// Batch is up to 500 records.
func (picky) Batch() sink.Batch { return sink.Batch{Records: 500} }

// Close does nothing.
func (picky) Close(context.Context) error { return nil }

// Write takes two milliseconds and 100 µs for each record.
func (p picky) Write(ctx context.Context, batch []record.Record) error {
	<-time.After(2*time.Millisecond + time.Duration(len(batch))*100*time.Microsecond)
	failed := map[int]error{}
	for i, r := range batch {
		if p.refused != "" && strings.HasSuffix(r.Key, p.refused) {
			failed[i] = sink.ErrRejected
		}
	}
	if len(failed) > 0 {
		return &sink.BatchError{Failed: failed}
	}
	return ctx.Err()
}

// BenchmarkPoison is what one refused record in a hundred costs the others.
func BenchmarkPoison(b *testing.B) {
	const records = 20_000
	all := orders(b, records)
	var clean, poisoned time.Duration
	for b.Loop() {
		for refused, took := range map[string]*time.Duration{"": &clean, "00": &poisoned} {
			*took += round(b, all, func(b *testing.B, s *bundle) { //nolint:thelper // the work itself
				s.start(b, picky{refused: refused}, func(c *loader.Config) { c.Workers = 8 })
				s.untilLoaded(b)
				if got := s.snapshot(b).DeadLetters; refused != "" && got != records/100 {
					b.Fatalf("%d dead letters, want %d", got, records/100)
				}
			})
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.N*records)/clean.Seconds(), "clean/s")
	b.ReportMetric(float64(b.N*records)/poisoned.Seconds(), "poisoned/s")
	b.ReportMetric(100*(1-clean.Seconds()/poisoned.Seconds()), "%loss")
}
