package extractor

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/audit"
)

// auditMetrics are the figures of audits.
type auditMetrics struct {
	audits, auditWindows, auditRepaired prometheus.Counter
	auditEnd, auditGaps                 prometheus.Gauge
	auditFound                          *prometheus.CounterVec
}

func newAuditMetrics(counter func(name, help string) prometheus.Counter, gauge func(name, help string) prometheus.Gauge) auditMetrics {
	return auditMetrics{
		audits:        counter("audits_total", "Audits that ran to their end."),
		auditWindows:  counter("audit_windows_total", "Days compared with the ERP by audits."),
		auditRepaired: counter("audit_repaired_total", "Records that an audit found missing, stale or altered, and stored."),
		auditEnd:      gauge("audit_last_timestamp_seconds", "When the last audit of this process ended; 0 before."),
		auditGaps:     gauge("audit_gaps", "Orders that the last audit of this process found and left unrepaired."),
		auditFound: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "juliu", Subsystem: "extractor", Name: "audit_found_total", Help: "Differences that audits found, by kind.",
		}, []string{"kind"}),
	}
}

func (m *auditMetrics) register(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.audits, m.auditWindows, m.auditRepaired, m.auditEnd, m.auditGaps, m.auditFound} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// audited notes a window that an audit compared.
func (m *auditMetrics) audited(w audit.Window) {
	m.auditWindows.Inc()
	m.auditRepaired.Add(float64(w.Repaired))
	for kind, n := range map[audit.Kind]int{audit.Missing: w.Missing, audit.Stale: w.Stale, audit.Altered: w.Altered, audit.Extra: w.Extra} {
		m.auditFound.WithLabelValues(string(kind)).Add(float64(n))
	}
}
