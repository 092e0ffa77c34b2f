package stream_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/stream"
)

// BenchmarkCommit stores records of 3 KB on a server that syncs every batch.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{50, 500, 999} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			_, conn := setup(b)
			j := openJournal(b, conn)
			rs := orders(0, size, 3000)
			b.SetBytes(int64(size * 3000))
			for b.Loop() {
				commit(b.Context(), b, j, rs)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// fill stores count records of size bytes.
func fill(tb testing.TB, conn *stream.Conn, count, size int) {
	tb.Helper()
	j := openJournal(tb, conn)
	for n := 0; n < count; n += stream.MaxRecords {
		commit(tb.Context(), tb, j, orders(n, min(stream.MaxRecords, count-n), size))
	}
}

// BenchmarkKnown passes over the headers of 100,000 records of 3 KB.
func BenchmarkKnown(b *testing.B) {
	const count = 100_000
	_, conn := setup(b)
	fill(b, conn, count, 3000)
	for b.Loop() {
		k, err := stream.LoadKnown(b.Context(), conn, resource, source, epoch(), 0)
		if err != nil || k.Len() != count {
			b.Fatal(k.Len(), err)
		}
	}
	b.ReportMetric(float64(b.N*count)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkKnownMemory is what a million keys take.
func BenchmarkKnownMemory(b *testing.B) {
	const count = 1_000_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		k := stream.NewKnown()
		for n := range count {
			k.Add([]record.Record{{Key: strconv.Itoa(10_000_000 + n), Version: record.Version{TS: int64(n + 1), Modified: epoch()}}})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "B/key")
		runtime.KeepAlive(k)
	}
}

// BenchmarkConsume delivers and acknowledges 50,000 records of 3 KB.
func BenchmarkConsume(b *testing.B) {
	const count = 50_000
	for b.Loop() {
		b.StopTimer()
		_, conn := setup(b)
		fill(b, conn, count, 3000)
		k, err := stream.OpenConsumer(b.Context(), conn, stream.LiveConsumer)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		intake, enough := context.WithCancel(b.Context())
		seen := 0
		err = k.Run(intake, b.Context(), pulls(1000), func(d stream.Delivery) {
			_, err := d.Read(b.Context())
			if err := errors.Join(err, d.Ack()); err != nil {
				b.Error(err)
			}
			if seen++; seen == count {
				enough()
			}
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(count/time.Since(began).Seconds(), "records/s")
	}
}
