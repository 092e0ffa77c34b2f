package control_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/control"
)

func seeded(n, c int) *rand.Rand { return rand.New(rand.NewPCG(uint64(n), uint64(c))) }

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// record notes every write of a lease in the order of the revisions, until the function returned is called.
func record(tb testing.TB, js jetstream.JetStream) func() []event {
	tb.Helper()
	consumer, err := js.OrderedConsumer(tb.Context(), "KV_"+control.LeaseBucket, jetstream.OrderedConsumerConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		tb.Fatal(err)
	}
	var events []event
	var group sync.WaitGroup
	group.Go(func() {
		for {
			m, err := messages.Next()
			if err != nil {
				return
			}
			var r struct {
				Hold string `json:"hold"`
			}
			if len(m.Data()) > 0 && json.Unmarshal(m.Data(), &r) != nil {
				tb.Errorf("%q is not a lease", m.Data())
			}
			events = append(events, event{key: strings.TrimPrefix(m.Subject(), "$KV.juliu-leases."), hold: r.Hold})
		}
	})
	return func() []event {
		messages.Stop()
		group.Wait()
		return events
	}
}
