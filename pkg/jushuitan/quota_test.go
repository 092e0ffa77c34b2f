package jushuitan_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"juliu/pkg/jushuitan"
	"juliu/pkg/secret"
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
				for range 29 {
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
				// 290 calls need two full minutes of 99, because one is kept for a token call, and a third minute's 19 seconds; waiting must not
				// cost much more.
				if took := time.Since(start); took < 2*time.Minute || latency < time.Second && took > 2*time.Minute+25*time.Second {
					t.Errorf("290 calls took %s", took)
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

// plan is one call of the property below.
type plan struct {
	lane      jushuitan.Lane
	at        time.Duration // when the caller comes; no two at once
	gives     time.Duration // how long it waits at most
	sent      time.Duration
	cancelled bool
}

// TestBudgetHoldsForAnyCallers draws who comes when, on which lane and how patient, and how long the calls travel.
func TestBudgetHoldsForAnyCallers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		latency := time.Duration(rapid.SampledFrom([]int{0, 50, 400, 3000}).Draw(rt, "latency")) * time.Millisecond
		seed := rapid.Uint64().Draw(rt, "seed")
		patience := rapid.SampledFrom([]time.Duration{time.Second, 20 * time.Second, time.Hour})
		gap := rapid.SampledFrom([]time.Duration{time.Microsecond, time.Millisecond, 300 * time.Millisecond, 2 * time.Second})
		var plans []*plan
		at := time.Duration(0)
		for range rapid.IntRange(1, 300).Draw(rt, "calls") {
			at += gap.Draw(rt, "gap")
			lane := jushuitan.Lane(rapid.IntRange(0, int(jushuitan.Audit)).Draw(rt, "lane"))
			plans = append(plans, &plan{lane: lane, at: at, gives: patience.Draw(rt, "patience")})
		}
		var problems []string
		synctest.Test(t, func(t *testing.T) {
			problems = carryOut(t, &counter{latency: latency, random: rand.New(rand.NewPCG(seed, 1))}, plans)
		})
		if problems != nil {
			rt.Fatal(problems)
		}
	})
}

type planKey struct{}

// carryOut is what was wrong with the run of the plans against the API. That no goroutine stays behind is synctest's own check.
func carryOut(t *testing.T, api *counter, plans []*plan) []string {
	t.Helper()
	var problems []string
	start := time.Now()
	c := newBudgeted(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		p, _ := req.Context().Value(planKey{}).(*plan)
		p.sent = time.Since(start)
		return api.RoundTrip(req)
	}), 5, 100)
	var all sync.WaitGroup
	for _, p := range plans {
		all.Go(func() {
			_ = wait(t.Context(), p.at)
			ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), planKey{}, p), p.gives)
			defer cancel()
			if _, err := c.Query(jushuitan.WithLane(ctx, p.lane), jushuitan.SalesOut(), nil); err != nil {
				p.cancelled = true
			}
		})
	}
	all.Wait()
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	check(api.most(time.Second) <= 5, "%d calls within a second", api.most(time.Second))
	check(api.most(time.Minute) <= 100, "%d calls within a minute", api.most(time.Minute))
	var last [jushuitan.Audit + 1]time.Duration
	sent := map[jushuitan.Lane]uint64{}
	for _, p := range plans {
		if p.sent == 0 {
			check(p.cancelled, "a call that came at %s was never sent", p.at)
			continue
		}
		sent[p.lane]++
		check(p.sent >= last[p.lane], "%s: the call that came at %s was sent at %s, after one at %s", p.lane, p.at, p.sent, last[p.lane])
		last[p.lane] = p.sent
	}
	for lane, n := range c.Usage().Sent {
		check(n == sent[lane], "%s: %d calls counted, %d sent", lane, n, sent[lane])
	}
	// Whoever gave up took no slot along: a minute later all of them are free.
	<-time.NewTimer(time.Minute + 2*api.latency + time.Second).C
	rest := time.Now()
	for range 5 {
		p := &plan{}
		if _, err := c.Query(context.WithValue(t.Context(), planKey{}, p), jushuitan.SalesOut(), nil); err != nil {
			check(false, "%v", err)
		}
		check(p.sent-rest.Sub(start) <= 10*api.latency, "a slot is missing")
	}
	return problems
}

func TestBudgetObeysRetryAfterOnAllLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var sent []time.Duration
		c := newBudgeted(t, roundTrip(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			sent = append(sent, time.Since(start))
			first := len(sent) == 1
			mu.Unlock()
			<-time.NewTimer(100 * time.Millisecond).C
			answer := respond(success)
			if first {
				answer = respond("")
				answer.StatusCode = http.StatusTooManyRequests
				answer.Header.Set("Retry-After", "30")
			}
			return answer, nil
		}), 5, 100)
		_, err := c.Query(t.Context(), jushuitan.SalesOut(), nil)
		if e := failure(t, err); e.HTTPStatus != http.StatusTooManyRequests || e.RetryAfter != 0 {
			t.Errorf("status %d, wait %s more", e.HTTPStatus, e.RetryAfter)
		}
		var all sync.WaitGroup
		for lane := jushuitan.Live; lane <= jushuitan.Audit; lane++ {
			all.Go(func() {
				if _, err := c.Query(jushuitan.WithLane(t.Context(), lane), jushuitan.SalesOut(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		// One goes ahead after the rest; the others wait for its answer.
		if len(sent) != 7 || sent[1] != 30*time.Second+100*time.Millisecond || sent[2] != sent[1]+100*time.Millisecond {
			t.Errorf("sent at %v", sent)
		}
		if u := c.Usage(); u.Refused != 1 || u.Allowed >= u.Configured || u.LastMinute != 7 {
			t.Errorf("usage %+v", u)
		}
	})
}

func TestBudgetRestsLongerAndAllowsLessWithEachRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent []time.Time
		c := newBudgeted(t, roundTrip(func(*http.Request) (*http.Response, error) {
			sent = append(sent, time.Now())
			return respond(`{"code":200,"msg":"调用频次超过限制"}`), nil
		}), 5, 100)
		var allowed []int
		var rests []time.Duration
		for i := range 9 {
			_, err := c.Query(t.Context(), jushuitan.SalesOut(), nil)
			if e := failure(t, err); e.Kind != jushuitan.RateLimitedMinute || e.RetryAfter != 0 || !e.Retryable() {
				t.Error(e)
			}
			allowed = append(allowed, c.Usage().Allowed)
			if i > 0 {
				rests = append(rests, sent[i].Sub(sent[i-1])/time.Second)
			}
		}
		if diff := cmp.Diff([]int{50, 25, 13, 7, 4, 2, 1, 1, 1}, allowed); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]time.Duration{5, 10, 20, 40, 60, 60, 60, 60}, rests); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBudgetCountsNoCallThatWasNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := &counter{random: rand.New(rand.NewPCG(1, 2))}
		cfg := config(jushuitan.OpenAPI, "")
		cfg.HTTP, cfg.RatePerSecond, cfg.RatePerMinute, cfg.AccessToken = api, 1, 1, secret.Text{}
		c := newClient(t, cfg)
		start := time.Now()
		for range 10 {
			_, err := c.Query(jushuitan.WithLane(t.Context(), jushuitan.Sweep), jushuitan.SalesOut(), nil)
			if e := failure(t, err); e.Kind != jushuitan.TokenExpired {
				t.Error(e)
			}
		}
		if u := c.Usage(); time.Since(start) != 0 || u.LastMinute != 0 || u.Sent[jushuitan.Sweep] != 0 {
			t.Errorf("after %s: usage %+v", time.Since(start), u)
		}
	})
}
