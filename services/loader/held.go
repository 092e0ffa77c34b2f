package loader

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

const (
	// leastHeld and mostHeld bound how many deliveries a loader holds: two batches for each worker, one being written and one waiting,
	// within these. More would be kept from other loaders without making this one faster; see docs/adr/0015.
	leastHeld = 64
	mostHeld  = 1024
	// heldBytes is how many bytes of rows a loader holds before it pulls no more. What one pull brings may come on top.
	heldBytes = 64 << 20
)

// held is what this process has been given and has not settled. The server takes a delivery for lost after AckWait unless it hears that
// the delivery is in progress.
type held struct {
	limit int
	// freed has one element when something was removed since anybody looked.
	freed chan struct{}

	mu         sync.Mutex
	deliveries map[uint64]stream.Delivery
	bytes      int
	down       bool
	// pending is how many messages waited on the stream when the last one came, and came whether one has since the last pull began.
	pending uint64
	came    bool
	// calm is closed when there is time for others; nil while nobody waits for that.
	calm chan struct{}
}

func newHeld(limit int) *held {
	return &held{limit: limit, freed: make(chan struct{}, 1), deliveries: make(map[uint64]stream.Delivery, limit)}
}

// room waits until there is room worth a pull, and returns how much; 0 when ctx ends first. While the sink is down there is none, unless
// little is left in hand that could show that the sink is back: it may be down for just that.
func (h *held) room(ctx context.Context) int {
	h.begin()
	for ctx.Err() == nil {
		if free := h.free(); free >= h.limit/4 {
			return free
		}
		select {
		case <-h.freed:
		case <-ctx.Done():
		}
	}
	return 0
}

// begin notes that a pull begins. One that brought nothing shows that nothing waits: others have taken the last ones.
func (h *held) begin() {
	h.mu.Lock()
	if !h.came {
		h.pending = 0
	}
	h.came = false
	h.mu.Unlock()
	h.wake()
}

func (h *held) free() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bytes >= heldBytes || h.down && len(h.deliveries) >= h.limit/4 {
		return 0
	}
	return h.limit - len(h.deliveries)
}

// add reports false for what is in hand already: the server did not hear in time that it is in progress. The one in hand settles it.
func (h *held) add(d stream.Delivery) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending, h.came = d.Pending, true
	if _, ok := h.deliveries[d.Sequence]; ok {
		return false
	}
	h.deliveries[d.Sequence] = d
	h.bytes += d.Size
	return true
}

// remove makes room for another.
func (h *held) remove(d stream.Delivery) {
	h.mu.Lock()
	delete(h.deliveries, d.Sequence)
	h.bytes -= d.Size
	h.mu.Unlock()
	h.look()
}

// setDown notes whether the sink is down.
func (h *held) setDown(down bool) {
	h.mu.Lock()
	h.down = down
	h.mu.Unlock()
	h.look()
}

// look wakes whoever waits for room, or for calm.
func (h *held) look() {
	select {
	case h.freed <- struct{}{}:
	default:
	}
	h.wake()
}

// wake wakes whoever waits for calm, if it is calm for some.
func (h *held) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calm != nil && !h.busy(true) { // who needs the sink looks again
		close(h.calm)
		h.calm = nil
	}
}

// busy reports whether the flow needs the sink for itself: it is behind, or the sink is down. The sink being down does not count for
// others that have a sink of their own.
func (h *held) busy(own bool) bool {
	if h.down {
		return !own
	}
	return h.pending > 0 || len(h.deliveries) >= h.limit/2
}

// flows reports whether something has come lately.
func (h *held) flows() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.came
}

// quiet waits until the flow leaves time for others, and reports false when ctx ends first.
func (h *held) quiet(ctx context.Context, own bool) bool {
	for ctx.Err() == nil {
		h.mu.Lock()
		if !h.busy(own) {
			h.mu.Unlock()
			return true
		}
		if h.calm == nil {
			h.calm = make(chan struct{})
		}
		calm := h.calm
		h.mu.Unlock()
		select {
		case <-calm:
		case <-ctx.Done():
		}
	}
	return false
}

// keepAlive tells the server every while about what is held, until ctx ends.
func (h *held) keepAlive(ctx context.Context, every time.Duration, log logrus.FieldLogger) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		h.mu.Lock()
		all := slices.Collect(maps.Values(h.deliveries))
		h.mu.Unlock()
		for _, d := range all {
			if err := d.InProgress(); err != nil {
				log.WithError(err).WithField(logging.Sequence, d.Sequence).Debug("delivery not kept alive; it may come again")
			}
		}
	}
}
