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

// held is what this process has been given and has not settled. The server takes a delivery for lost after AckWait unless it hears
// that the delivery is in progress.
type held struct {
	mu         sync.Mutex
	deliveries map[uint64]stream.Delivery
}

func newHeld() *held { return &held{deliveries: make(map[uint64]stream.Delivery)} }

func (h *held) add(d stream.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deliveries[d.Sequence] = d
}

func (h *held) remove(d stream.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.deliveries, d.Sequence)
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
