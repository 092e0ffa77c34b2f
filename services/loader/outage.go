package loader

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/stream"
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
	// cause is why it went down last.
	cause error
	// writes counts the writes begun, taken is the last begun of those that the sink took.
	writes, taken uint64
	// refused is what writes was when the sink was last too unwell for a delivery in hand.
	refused map[uint64]uint64
}

// enter notes that a write begins, and returns its number.
func (o *outage) enter() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	return o.writes
}

// refuse notes that the sink was too unwell for a delivery, and reports whether it was so before and took others in writes begun since:
// then it is not the sink that fails. A write that was on its way when the sink went down shows nothing.
func (o *outage) refuse(d stream.Delivery) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refused == nil {
		o.refused = map[uint64]uint64{}
	}
	before, again := o.refused[d.Sequence]
	o.refused[d.Sequence] = o.writes
	return again && o.taken > before
}

// forget is for a delivery that is settled.
func (o *outage) forget(d stream.Delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.refused, d.Sequence)
}

// begin notes that the sink is down.
func (o *outage) begin(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back != nil {
		return
	}
	o.back, o.cause = make(chan struct{}), cause
	o.gauge.Set(1)
	o.held.setDown(true)
	o.log.WithError(cause).Warn("sink unavailable; loading pauses until it is back")
}

// end notes that the sink has taken something of a write, or at least looked at it.
func (o *outage) end(write uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken = max(o.taken, write)
	if o.back == nil {
		return
	}
	close(o.back)
	o.back = nil
	o.gauge.Set(0)
	o.held.setDown(false)
	o.log.Info("sink available again; loading goes on")
}

// why is why the sink is down; nil while it is not.
func (o *outage) why() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back == nil {
		return nil
	}
	return o.cause
}

// rest waits at least as long as least, unless ctx ends: a sink that takes some and turns others away would else be asked without a pause.
// Then it waits until the sink is back, and no longer than most in all.
func (o *outage) rest(ctx context.Context, least, most time.Duration) {
	o.mu.Lock()
	back := o.back
	o.mu.Unlock()
	if back == nil { // it is back already, for others
		least = most
	}
	if !wait(ctx, nil, least) {
		return
	}
	wait(ctx, back, most-least)
}

// wait reports whether d has passed before ctx ended or the sink was back.
func wait(ctx context.Context, back <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-back:
	case <-timer.C:
		return true
	}
	return false
}
