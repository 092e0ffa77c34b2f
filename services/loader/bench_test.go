package loader_test

import (
	"testing"

	"juliu/pkg/sink"
	"juliu/services/loader"
)

// BenchmarkLoad is how fast records come through a loader to the no-op write: the ceiling of every sink.
func BenchmarkLoad(b *testing.B) {
	s := setup(b)
	s.store(b, orders(b, b.N)...)
	b.ReportAllocs()
	b.ResetTimer()
	r := s.start(b, &sink.Noop{}, func(c *loader.Config) { c.Workers = 8 })
	until(b, "all are written", func() bool { return r.Stats().Written >= uint64(b.N) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
