package jushuitan_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/jushuitan"
)

// counter is an API that counts each call at a random moment between its arrival here and its answer, as a network with delays does.
type counter struct {
	latency time.Duration
	mu      sync.Mutex
	random  *rand.Rand
	times   []time.Time
}

func (c *counter) RoundTrip(*http.Request) (*http.Response, error) {
	c.mu.Lock()
	before := time.Duration(c.random.Int64N(int64(c.latency) + 1))
	after := time.Duration(c.random.Int64N(int64(c.latency) + 1))
	c.mu.Unlock()
	<-time.NewTimer(before).C
	c.mu.Lock()
	c.times = append(c.times, time.Now())
	c.mu.Unlock()
	<-time.NewTimer(after).C
	return respond(success), nil
}

// most is the highest number of calls within any span, both ends counted.
func (c *counter) most(span time.Duration) int {
	slices.SortFunc(c.times, time.Time.Compare)
	most, first := 0, 0
	for last := range c.times {
		for c.times[last].Sub(c.times[first]) > span {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

func TestBudgetHoldsInAnySpanHoweverLongCallsTravel(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{0, 50 * time.Millisecond, 3 * time.Second} {
		t.Run(latency.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api := &counter{latency: latency, random: rand.New(rand.NewPCG(1, 2))}
				c := newBudgeted(t, api, 5, 100)
				start := time.Now()
				var wait sync.WaitGroup
				for range 30 {
					wait.Go(func() {
						for range 10 {
							if _, err := c.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wait.Wait()
				if n := api.most(time.Second); n > 5 {
					t.Errorf("%d calls within a second", n)
				}
				if n := api.most(time.Minute); n > 100 {
					t.Errorf("%d calls within a minute", n)
				}
				// 300 calls need two full minutes and a third minute's 20 seconds; waiting must not cost much more.
				if took := time.Since(start); took < 2*time.Minute || latency < time.Second && took > 2*time.Minute+25*time.Second {
					t.Errorf("300 calls took %s", took)
				}
			})
		})
	}
}

func TestBudgetServesInOrderOfArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newBudgeted(t, &counter{random: rand.New(rand.NewPCG(1, 2))}, 1, 100)
		var mu sync.Mutex
		var order []int
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				if _, err := c.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait()
		}
		wait.Wait()
		if !slices.IsSorted(order) {
			t.Errorf("served in order %v", order)
		}
	})
}

func TestBudgetWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &counter{random: rand.New(rand.NewPCG(1, 2))}
		c := newBudgeted(t, api, 5, 6)
		query := func(ctx context.Context) error {
			_, err := c.Query(ctx, jushuitan.SalesOut(), nil)
			return err
		}
		for range 5 {
			if err := query(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		var wait sync.WaitGroup
		for range 10 { // one of them waits for the second, the others for their turn
			wait.Go(func() {
				if err := query(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the context's error", err)
				}
			})
		}
		wait.Wait()
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("the waits ended after %s", took)
		}
		// Who gave up took nothing away: the sixth call of the minute is still there.
		if err := query(t.Context()); err != nil || time.Since(start) > 2*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		if len(api.times) != 6 {
			t.Errorf("%d calls were sent, want 6", len(api.times))
		}
	})
}

func TestBudgetTakesNothingForADeadContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	api := &counter{random: rand.New(rand.NewPCG(1, 2))}
	if _, err := newBudgeted(t, api, 5, 100).Query(ctx, jushuitan.SalesOut(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(api.times) != 0 {
		t.Error("a call was sent")
	}
}

func TestBudgetCountsTokenCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &counter{random: rand.New(rand.NewPCG(1, 2))}
		c := newBudgeted(t, api, 2, 100)
		for range 4 {
			_, err := c.RefreshToken(t.Context())
			_ = failure(t, err) // the answer holds no token
			if _, err := c.InitToken(t.Context(), "123456"); err == nil {
				t.Error("an answer without a token is taken")
			}
		}
		if n := api.most(time.Second); n > 2 {
			t.Errorf("%d calls within a second", n)
		}
	})
}

func newBudgeted(t *testing.T, api http.RoundTripper, perSecond, perMinute int) *jushuitan.Client {
	t.Helper()
	cfg := config(jushuitan.OpenAPI, "")
	cfg.HTTP, cfg.RatePerSecond, cfg.RatePerMinute = api, perSecond, perMinute
	return newClient(t, cfg)
}
