package loader

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// outage tells the operator once when the sink goes down and once when it is back, however many workers find it so, and stops the
// pulling between.
type outage struct {
	log   logrus.FieldLogger
	gauge prometheus.Gauge
	held  *held

	mu   sync.Mutex
	down bool
}

// begin notes that the sink is down.
func (o *outage) begin(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return
	}
	o.down = true
	o.gauge.Set(1)
	o.held.setDown(true)
	o.log.WithError(cause).Warn("sink unavailable; loading pauses until it is back")
}

// end notes that the sink has taken something, or at least looked at it.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.down {
		return
	}
	o.down = false
	o.gauge.Set(0)
	o.held.setDown(false)
	o.log.Info("sink available again; loading goes on")
}

// sleep waits, or returns when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
