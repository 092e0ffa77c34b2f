package loader

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/logging"
)

// lagEvery is how often the lag is asked for. Every loader shows the same one.
const lagEvery = 10 * time.Second

// metrics are the loader's figures. They carry no order ids and no personal data.
type metrics struct {
	writtenTotal, ackedTotal, retriedTotal prometheus.Counter
	rejectedTotal                          *prometheus.CounterVec
	writeSeconds, batchRecords             prometheus.Histogram
	lag, unavailable                       prometheus.Gauge
	replayedTotal                          *prometheus.CounterVec

	written, retried, rejected atomic.Uint64
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "juliu", Subsystem: "loader", Name: name, Help: help}
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "juliu", Subsystem: "loader", Name: name, Help: help})
	}
	histogram := func(name, help string, least float64, buckets int) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "juliu", Subsystem: "loader", Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(least, 4, buckets),
		})
	}
	m := &metrics{
		writtenTotal:  prometheus.NewCounter(counter("records_written_total", "Records that the sink took, repetitions counted.")),
		ackedTotal:    prometheus.NewCounter(counter("records_acked_total", "Records acknowledged after the sink took them.")),
		retriedTotal:  prometheus.NewCounter(counter("records_retried_total", "Failed attempts after which the record comes again.")),
		rejectedTotal: prometheus.NewCounterVec(counter("records_rejected_total", "Records kept as dead letters, by class."), []string{"class"}),
		replayedTotal: prometheus.NewCounterVec(counter("records_replayed_total", "Records that replays settled, by outcome: written, rejected or skipped."), []string{"outcome"}),
		writeSeconds:  histogram("write_seconds", "Time of one write to the sink.", 0.0001, 10),
		batchRecords:  histogram("write_records", "Records in one write to the sink.", 1, 6),
		lag:           gauge("lag_records", "Records that no loader has loaded yet; NaN while that is not known."),
		unavailable:   gauge("sink_unavailable", "1 while the sink is down and loading pauses."),
	}
	m.lag.Set(math.NaN())
	for _, c := range []prometheus.Collector{
		m.writtenTotal, m.ackedTotal, m.retriedTotal, m.rejectedTotal, m.writeSeconds, m.batchRecords, m.lag, m.unavailable, m.replayedTotal,
	} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// replayed counts what a replay settled.
func (m *metrics) replayed(r ReplayReport) {
	m.replayedTotal.WithLabelValues("written").Add(float64(r.Written))
	m.replayedTotal.WithLabelValues("rejected").Add(float64(r.Rejected))
	m.replayedTotal.WithLabelValues("skipped").Add(float64(r.Skipped))
}

// Stats is a look at a running loader.
type Stats struct {
	// Written counts the records that the sink took since the start of the process, repetitions too.
	Written uint64
	// Retried counts failed attempts after which the record comes again.
	Retried uint64
	// Rejected counts the records kept as dead letters.
	Rejected uint64
}

// Stats is safe for concurrent use.
func (l *Loader) Stats() Stats {
	return Stats{Written: l.metrics.written.Load(), Retried: l.metrics.retried.Load(), Rejected: l.metrics.rejected.Load()}
}

// watchLag asks for the lag until ctx ends.
func (l *Loader) watchLag(ctx context.Context) {
	ticker := time.NewTicker(lagEvery)
	defer ticker.Stop()
	for {
		lag, err := l.deps.Lag(ctx)
		if err == nil {
			l.metrics.lag.Set(float64(lag))
		} else if ctx.Err() == nil {
			l.metrics.lag.Set(math.NaN()) // an old figure would scale the loaders wrongly
			l.deps.Log.WithError(err).WithField(logging.Wait, lagEvery.String()).Debug("lag not known; asking again")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
