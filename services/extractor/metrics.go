package extractor

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/jushuitan"
)

// metrics are the extractor's figures. They carry no order ids and no personal data.
type metrics struct {
	auditMetrics

	calls, commits, stored, equal, older, unwanted, rejected, surprises prometheus.Counter
	splits, rereads, doubtful                                           prometheus.Counter
	sweeps, sweepFound, sweepResolved, gone                             prometheus.Counter
	failures                                                            *prometheus.CounterVec
	lateness                                                            *prometheus.HistogramVec
	cursor, newestModified, leading                                     prometheus.Gauge

	// proven: a page was read, so the settings were right once.
	proven atomic.Bool

	storedCount, newestUnix, cursorUnix, lookUnix atomic.Int64
}

func newMetrics(reg prometheus.Registerer, usage func() jushuitan.Usage) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "juliu", Subsystem: "extractor", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "juliu", Subsystem: "extractor", Name: name, Help: help})
	}
	m := &metrics{
		auditMetrics:  newAuditMetrics(counter, gauge),
		calls:         counter("pages_read_total", "Pages of the ERP read."),
		commits:       counter("commits_total", "Commits of records and checkpoint."),
		stored:        counter("records_stored_total", "Records stored on the stream."),
		equal:         counter("rows_equal_total", "Rows dropped because the same version is stored."),
		older:         counter("rows_older_total", "Rows dropped because a newer version is stored."),
		unwanted:      counter("rows_unwanted_total", "Rows dropped because their orders have not come as far as EXTRACTOR_STATUS."),
		rejected:      counter("rows_rejected_total", "Rows without identity, kept in the dead letters."),
		surprises:     counter("field_surprises_total", "Values that did not fit their field; they stand in the raw row."),
		splits:        counter("windows_split_total", "Windows read in halves because they were deep or doubtful."),
		rereads:       counter("windows_reread_total", "Passes over a window that were repeated because rows entered it."),
		doubtful:      counter("windows_doubtful_total", "Windows whose count and rows disagreed to the end."),
		sweeps:        counter("sweeps_total", "Sweeps of the past that ran to their end."),
		sweepFound:    counter("sweep_found_total", "Records that only a sweep found: they showed later than the look back reaches."),
		sweepResolved: counter("sweep_resolved_total", "Records of orders that no window showed any more, found by number."),
		gone:          counter("orders_gone_total", "Orders that a sweep neither saw nor found by number; each sweep counts them anew."),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "juliu", Subsystem: "extractor", Name: "lateness_seconds",
			Help:    "From an order's modification to our first sight of it, while nothing was to be caught up.",
			Buckets: []float64{5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600, 4 * 3600, 24 * 3600},
		}, []string{"lane"}),
		leading: gauge("leading", "1 while this process holds the lease of its source, 0 on standby."),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "juliu", Subsystem: "extractor", Name: "failures_total", Help: "Failed steps by kind; each is tried again.",
		}, []string{"kind"}),
		cursor:         gauge("cursor_timestamp_seconds", "Everything modified before this time has been read."),
		newestModified: gauge("newest_modified_timestamp_seconds", "Modification time of the newest record stored."),
	}
	if err := m.register(reg); err != nil {
		return nil, err
	}
	if err := registerQuota(reg, usage); err != nil {
		return nil, err
	}
	for _, c := range []prometheus.Collector{
		m.calls, m.commits, m.stored, m.equal, m.older, m.unwanted, m.rejected, m.surprises, m.splits, m.rereads, m.doubtful,
		m.sweeps, m.sweepFound, m.sweepResolved, m.gone, m.failures, m.lateness, m.cursor, m.newestModified, m.leading,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// registerQuota registers the figures of the client's budget of calls.
func registerQuota(reg prometheus.Registerer, usage func() jushuitan.Usage) error {
	gauge := func(name, help string, value func(jushuitan.Usage) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "juliu", Subsystem: "extractor", Name: name, Help: help},
			func() float64 { return float64(value(usage())) })
	}
	all := []prometheus.Collector{
		gauge("quota_used", "Calls sent within the last minute.", func(u jushuitan.Usage) int { return u.LastMinute }),
		gauge("quota_allowed", "Calls a minute that the ERP allows, as far as learned.", func(u jushuitan.Usage) int { return u.Allowed }),
	}
	for lane := jushuitan.Live; lane <= jushuitan.Audit; lane++ {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "juliu", Subsystem: "extractor", Name: "calls_total", Help: "Calls of the ERP sent, by lane.",
			ConstLabels: prometheus.Labels{"lane": lane.String()},
		}, func() float64 { return float64(usage().Sent[lane]) }))
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// committed notes a commit: how many records, the newest of their modification times (or zero), and the cursor.
func (m *metrics) committed(records int, newest, cursor time.Time) {
	m.commits.Inc()
	m.stored.Add(float64(records))
	m.storedCount.Add(int64(records))
	m.cursor.Set(float64(cursor.Unix()))
	m.cursorUnix.Store(cursor.UnixNano())
	if n := newest.UnixNano(); !newest.IsZero() && n > m.newestUnix.Load() {
		m.newestUnix.Store(n)
		m.newestModified.Set(float64(newest.Unix()))
	}
}

// lookedBack notes a step that read the past again; began is when it began.
func (m *metrics) lookedBack(began time.Time) { m.lookUnix.Store(began.UnixNano()) }

// Stats is a look at a running extractor.
type Stats struct {
	// Stored counts the records stored since the start of the process.
	Stored int64
	// Cursor: everything modified before it has been read; zero before the first commit.
	Cursor time.Time
	// Newest is the modification time of the newest record stored; zero before the first.
	Newest time.Time
	// LookedBack is when the last step began that also read the past again: what was visible then, and not later than settle+overlap,
	// is stored. Zero before the first.
	LookedBack time.Time
}

// Stats is safe for concurrent use.
func (e *Extractor) Stats() Stats {
	return Stats{
		Stored: e.metrics.storedCount.Load(), Cursor: unixNano(e.metrics.cursorUnix.Load()),
		Newest: unixNano(e.metrics.newestUnix.Load()), LookedBack: unixNano(e.metrics.lookUnix.Load()),
	}
}

func unixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
