package extractor

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// accepted is the result of a refresh that worked; the others are the kinds of the ERP's errors, and "other".
const accepted = "accepted"

// tokenMetrics are the figures of the token. What is not known yet is absent: a nought would ring the alarm.
type tokenMetrics struct {
	now              func() time.Time
	expiry, daysLeft *prometheus.Desc
	refreshes        *prometheus.CounterVec
	expires          atomic.Int64 // Unix seconds; 0 while unknown
}

func newTokenMetrics(reg prometheus.Registerer, now func() time.Time) (*tokenMetrics, error) {
	name := func(name string) string { return prometheus.BuildFQName("juliu", "extractor", name) }
	m := &tokenMetrics{
		now:      now,
		expiry:   prometheus.NewDesc(name("token_expiry_timestamp_seconds"), "When the ERP's access token ends; absent while unknown.", nil, nil),
		daysLeft: prometheus.NewDesc(name("token_days_left"), "Days until the ERP's access token ends; absent while unknown.", nil, nil),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("token_refreshes_total"), Help: "Refreshes of the ERP's access token by result: accepted, or the kind of the failure.",
		}, []string{"result"}),
	}
	m.refreshes.WithLabelValues(accepted)
	if err := reg.Register(m); err != nil {
		return nil, fmt.Errorf("register metrics of the token: %w", err)
	}
	return m, nil
}

// Describe names the figures.
func (m *tokenMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.expiry
	out <- m.daysLeft
	m.refreshes.Describe(out)
}

// Collect takes the figures.
func (m *tokenMetrics) Collect(out chan<- prometheus.Metric) {
	m.refreshes.Collect(out)
	expires := m.expires.Load()
	if expires == 0 {
		return
	}
	left := time.Unix(expires, 0).Sub(m.now())
	out <- prometheus.MustNewConstMetric(m.expiry, prometheus.GaugeValue, float64(expires))
	out <- prometheus.MustNewConstMetric(m.daysLeft, prometheus.GaugeValue, left.Hours()/24)
}

// refreshed counts a refresh by its error.
func (m *tokenMetrics) refreshed(err error) {
	result := accepted
	if err != nil {
		result = "other"
		if kind := kindOf(err); kind != "" {
			result = string(kind)
		}
	}
	m.refreshes.WithLabelValues(result).Inc()
}
