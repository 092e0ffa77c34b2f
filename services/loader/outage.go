package loader

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// outage tells the operator once when the sink goes down and once when it is back, however many workers find it so, stops the
// pulling between, and wakes the workers when one of them has found the sink back.
type outage struct {
	log   logrus.FieldLogger
	gauge prometheus.Gauge
	held  *held

	mu sync.Mutex
	// back is closed when the sink is back; nil while it is not down.
	back chan struct{}
}

// begin notes that the sink is down.
func (o *outage) begin(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back != nil {
		return
	}
	o.back = make(chan struct{})
	o.gauge.Set(1)
	o.held.setDown(true)
	o.log.WithError(cause).Warn("sink unavailable; loading pauses until it is back")
}

// end notes that the sink has taken something, or at least looked at it.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back == nil {
		return
	}
	close(o.back)
	o.back = nil
	o.gauge.Set(0)
	o.held.setDown(false)
	o.log.Info("sink available again; loading goes on")
}

// rest waits, or returns earlier when the sink is back or ctx ends.
func (o *outage) rest(ctx context.Context, d time.Duration) {
	o.mu.Lock()
	back := o.back
	o.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-back:
	case <-timer.C:
	}
}
