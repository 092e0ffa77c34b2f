package control_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/control"
)

// event is one write of a lease, as the stream has it.
type event struct {
	key, hold string // hold is empty when the lease was given back
}

// TestHoldsNeverOverlap draws histories of taking, renewing, giving back, freezing and cutting, and reads from the stream who held each
// lease: once another hold was stored, an earlier one never is again.
func TestHoldsNeverOverlap(t *testing.T) {
	t.Parallel()
	const rounds, leases, ttl = 8, 25, time.Second
	for round := range rounds {
		histories(t, round, leases, ttl)
	}
}

// histories draws one for each lease, over connections that are disturbed, until each was held twice on average.
func histories(t *testing.T, round, count int, ttl time.Duration) {
	t.Helper()
	server, _ := setup(t)
	setTTL(t, server, ttl)
	proxies := make([]*proxy, 3)
	clients := make([]*control.Leases, 3)
	for n := range proxies {
		proxies[n] = startProxy(t, server.URL())
		clients[n] = openLeases(t, connect(t, proxies[n].url))
	}
	js := rawJS(t, server.URL())
	editBucket(t, js, control.LeaseBucket, func(cfg *jetstream.StreamConfig) { cfg.MaxMsgsPerSubject, cfg.MaxAge = -1, ttl })
	recorded := record(t, js)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var group sync.WaitGroup
	var taken atomic.Int64
	for n := range count {
		for c, client := range clients {
			group.Go(func() {
				random := seeded(round*count+n, c)
				for ctx.Err() == nil {
					_ = client.Hold(ctx, strconv.Itoa(n), control.Holder{}, func(ctx context.Context) error {
						if taken.Add(1) == int64(2*count) {
							cancel()
						}
						wait(ctx, time.Duration(random.Int64N(int64(ttl))))
						return nil
					})
				}
			})
		}
	}
	for c, p := range proxies {
		group.Go(func() {
			random := seeded(-round, c)
			for ctx.Err() == nil {
				wait(ctx, time.Duration(random.Int64N(int64(ttl))))
				switch random.IntN(6) {
				case 0:
					p.deaf.Store(true)
				case 1:
					p.mute.Store(true)
				case 2:
					p.cut()
				default:
					continue
				}
				wait(ctx, time.Duration(random.Int64N(int64(2*ttl))))
				p.heal()
			}
		})
	}
	group.Wait()
	events := recorded()
	check(t, events)
	t.Logf("round %d: %d holds, %d writes", round, taken.Load(), len(events))
	if taken.Load() < int64(2*count) {
		t.Errorf("only %d holds: the histories prove little", taken.Load())
	}
}

func check(t *testing.T, events []event) {
	t.Helper()
	last, gone := map[string]string{}, map[string]bool{}
	for _, e := range events {
		before := last[e.key]
		if e.hold == before {
			continue
		}
		if e.hold != "" && gone[e.hold] {
			t.Errorf("lease %s: hold %s comes back after another", e.key, e.hold)
		}
		if before != "" {
			gone[before] = true
		}
		last[e.key] = e.hold
	}
}

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
