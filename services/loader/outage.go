package loader

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// outage tells the operator once when the sink goes down and once when it is back, however many workers find it so.
type outage struct {
	log   logrus.FieldLogger
	gauge prometheus.Gauge
	down  atomic.Bool
}

// begin notes that the sink is down.
func (o *outage) begin(cause error) {
	if o.down.CompareAndSwap(false, true) {
		o.gauge.Set(1)
		o.log.WithError(cause).Warn("sink unavailable; loading pauses until it is back")
	}
}

// end notes that the sink has taken something.
func (o *outage) end() {
	if o.down.CompareAndSwap(true, false) {
		o.gauge.Set(0)
		o.log.Info("sink available again; loading goes on")
	}
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
