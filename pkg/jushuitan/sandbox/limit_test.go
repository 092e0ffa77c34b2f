package sandbox_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"juliu/pkg/jushuitan/sandbox"
)

func TestRateLimits(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.RatePerSecond, cfg.RatePerMinute = sandbox.DefaultRatePerSecond, sandbox.DefaultRatePerMinute
	})
	const biz = `{"io_ids":[1]}`
	for i := range 5 {
		if a := c.query(t, biz); a.Code != 0 {
			t.Fatalf("call %d: code %d", i+1, a.Code)
		}
	}
	if a := c.query(t, biz); a.Code != 199 {
		t.Errorf("sixth call of the second: code %d, want 199", a.Code)
	}
	c.clock.add(999 * time.Millisecond)
	if a := c.query(t, biz); a.Code != 199 {
		t.Errorf("0.999 s later: code %d, want 199", a.Code)
	}
	c.clock.add(time.Millisecond)
	if a := c.query(t, biz); a.Code != 0 {
		t.Errorf("a second later: code %d, want 0: refused calls must not count", a.Code)
	}
	for i := range 94 {
		c.clock.add(250 * time.Millisecond)
		if a := c.query(t, biz); a.Code != 0 {
			t.Fatalf("call %d: code %d", i+7, a.Code)
		}
	}
	c.clock.add(time.Second)
	if a := c.query(t, biz); a.Code != 200 {
		t.Errorf("101st call of the minute: code %d, want 200", a.Code)
	}
	c.clock.add(time.Minute)
	if a := c.query(t, biz); a.Code != 0 {
		t.Errorf("a minute later: code %d, want 0", a.Code)
	}
}

func TestSetRatesCountsTheCallsBefore(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.RatePerMinute = 4 })
	const biz = `{"io_ids":[1]}`
	for i, step := range []struct{ perSecond, perMinute, calls, code int }{
		{0, 4, 3, 0},
		{0, 3, 1, 200},
		{2, 9, 1, 199},
		{5, 4, 1, 0},
		{5, 4, 1, 200},
		{0, 0, 20, 0},
		{-1, -1, 20, 0},
	} {
		c.SetRates(step.perSecond, step.perMinute)
		for range step.calls {
			if a := c.query(t, biz); a.Code != step.code {
				t.Errorf("step %d: code %d, want %d", i, a.Code, step.code)
			}
		}
	}
}

func TestNoLimitByDefault(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	for range 300 {
		if a := c.query(t, `{"io_ids":[100001]}`); a.Code != 0 {
			t.Fatalf("code %d", a.Code)
		}
	}
}

// TestNoWindowEverHoldsTooManyCalls compares the limits with their definition over any sequence of calls.
func TestNoWindowEverHoldsTooManyCalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		perSecond, perMinute := rapid.IntRange(0, 4).Draw(rt, "second"), rapid.IntRange(0, 9).Draw(rt, "minute")
		c := newCaller(t, func(cfg *sandbox.Config) {
			cfg.RatePerSecond, cfg.RatePerMinute, cfg.Orders = perSecond, perMinute, 0
		})
		var accepted []time.Time
		for range rapid.IntRange(1, 60).Draw(rt, "calls") {
			c.clock.add(time.Duration(rapid.SampledFrom([]int{0, 1, 500, 999, 1000, 9000, 58_999, 60_000}).Draw(rt, "gap")) * time.Millisecond)
			now := c.clock.Now()
			second, minute := 0, 0
			for _, at := range accepted {
				if now.Sub(at) < time.Second {
					second++
				}
				if now.Sub(at) < time.Minute {
					minute++
				}
			}
			want := 0
			switch {
			case perSecond > 0 && second >= perSecond:
				want = 199
			case perMinute > 0 && minute >= perMinute:
				want = 200
			default:
				accepted = append(accepted, now)
			}
			if a := c.query(t, `{"io_ids":[1]}`); a.Code != want {
				rt.Fatalf("code %d, want %d", a.Code, want)
			}
		}
	})
}
