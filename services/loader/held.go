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

// keepAliveEvery is a third of the consumer's AckWait: two notes may get lost.
const keepAliveEvery = 10 * time.Second

// held is what this process has been given and has not settled, up to inHand. The server takes a delivery for lost after AckWait
// unless it hears that the delivery is in progress.
type held struct {
	places chan struct{}

	mu         sync.Mutex
	deliveries map[uint64]stream.Delivery
}

func newHeld() *held {
	return &held{places: make(chan struct{}, inHand), deliveries: make(map[uint64]stream.Delivery)}
}

// add waits for a free place; it reports false when ctx ends first.
func (h *held) add(ctx context.Context, d stream.Delivery) bool {
	select {
	case h.places <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deliveries[d.Sequence] = d
	return true
}

// remove frees the place of a settled delivery.
func (h *held) remove(d stream.Delivery) {
	h.mu.Lock()
	delete(h.deliveries, d.Sequence)
	h.mu.Unlock()
	<-h.places
}

// keepAlive tells the server about what is held, until ctx ends.
func (h *held) keepAlive(ctx context.Context, log logrus.FieldLogger) {
	ticker := time.NewTicker(keepAliveEvery)
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
