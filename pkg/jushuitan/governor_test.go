package jushuitan_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/jushuitan"
)

func TestABackfillUsesWhatALivePollerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, 5, 100)
		const span = 10 * time.Minute
		run(t, span, s.poll, s.keep(jushuitan.Backfill), s.keep(jushuitan.Backfill))
		taken, refused := s.count(0, span)
		p99, worst := s.freshness()
		t.Logf("%d calls of 1000 used, %d refused; live freshness: p99 %s, worst %s", taken, refused, p99, worst)
		if taken < 950 || refused > 0 {
			t.Errorf("%d calls of 1000 used, %d refused", taken, refused)
		}
		if p99 > 5*time.Second {
			t.Errorf("live freshness: p99 %s, worst %s", p99, worst)
		}
		if u := s.client.Usage(); u.Allowed != 100 || u.Configured != 100 || u.Refused != 0 || u.LastMinute < 95 || u.LastMinute > 100 {
			t.Errorf("usage %+v", u)
		}
	})
}

func TestTheBudgetFollowsAnAllowanceHalvedAndRestoredWithoutNotice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, 5, 100)
		const halved, restored, span = 10 * time.Minute, 30 * time.Minute, 60 * time.Minute
		run(t, span, s.poll, s.keep(jushuitan.Backfill), s.keep(jushuitan.Backfill), func(ctx context.Context) {
			_ = wait(ctx, halved)
			s.SetRates(5, 50)
			_ = wait(ctx, restored-halved)
			s.SetRates(5, 100)
		})
		_, first := s.count(halved, halved+2*time.Minute)
		taken, refused := s.count(halved+2*time.Minute, restored)
		again, late := s.count(restored+15*time.Minute, span)
		p99, worst := s.freshness()
		t.Logf("%d refused in the two minutes after the halving; then %d calls of 900 used, %d refused in 18 minutes; "+
			"from 15 minutes after the restoring on %d calls of 1500, %d refused; live freshness: p99 %s, worst %s",
			first, taken, refused, again, late, p99, worst)
		if taken < 900*85/100 || refused >= 18 {
			t.Errorf("halved: %d calls of 900 used, %d refused in 18 minutes", taken, refused)
		}
		if again < 1500*95/100 || late > 0 {
			t.Errorf("restored: %d calls of 1500 used, %d refused", again, late)
		}
		if p99 > interval+5*time.Second {
			t.Errorf("live freshness: p99 %s, worst %s", p99, worst)
		}
		if u := s.client.Usage(); u.Allowed != 100 || u.Refused == 0 {
			t.Errorf("usage %+v", u)
		}
	})
}

// With answers that take a quarter of a second, two calls a second are at most 94 a minute.
func TestTheBudgetLearnsTheSecondToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, 5, 100)
		s.SetRates(2, 100)
		const span = 30 * time.Minute
		run(t, span, s.keep(jushuitan.Live), s.keep(jushuitan.Live), s.keep(jushuitan.Live))
		taken, refused := s.count(0, span)
		t.Logf("%d calls of 2820 used, %d refused in 30 minutes", taken, refused)
		if taken < 2820*95/100 || refused > 15 {
			t.Errorf("%d calls of 2820 used, %d refused in 30 minutes", taken, refused)
		}
	})
}

func TestATokenCallGetsThroughWhileLiveNeverIdles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, 5, 100)
		var took []time.Duration
		run(t, 30*time.Minute, s.keep(jushuitan.Live), s.keep(jushuitan.Live), s.keep(jushuitan.Live), s.keep(jushuitan.Live), s.keep(jushuitan.Live),
			s.keep(jushuitan.Live), s.keep(jushuitan.Backfill), func(ctx context.Context) {
				for wait(ctx, 67*time.Second) == nil {
					due := time.Now()
					if _, err := s.client.RefreshToken(jushuitan.WithLane(ctx, jushuitan.Audit)); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					took = append(took, time.Since(due))
				}
			})
		t.Logf("%d token calls took up to %s", len(took), slices.Max(took))
		if slices.Max(took) > 3*time.Second {
			t.Errorf("a token call took %s", slices.Max(took))
		}
		sent := s.client.Usage().Sent
		if int(sent[jushuitan.Tokens]) != len(took) || sent[jushuitan.Audit] != 0 {
			t.Errorf("sent %v, want %d on the token lane", sent, len(took))
		}
	})
}

func TestLanesShareByWeightAndLendWhatTheyDoNotUse(t *testing.T) {
	t.Parallel()
	all := []jushuitan.Lane{jushuitan.Live, jushuitan.Tokens, jushuitan.Repair, jushuitan.Sweep, jushuitan.Backfill, jushuitan.Audit}
	for name, c := range map[string]struct {
		waiting []jushuitan.Lane
		shares  []float64 // of the calls, in the order of waiting
	}{
		"all lanes wait":           {all, []float64{32. / 63, 16. / 63, 8. / 63, 4. / 63, 2. / 63, 1. / 63}},
		"live and a backfill wait": {[]jushuitan.Lane{jushuitan.Live, jushuitan.Backfill}, []float64{16. / 17, 1. / 17}},
		"sweep and audit wait":     {[]jushuitan.Lane{jushuitan.Sweep, jushuitan.Audit}, []float64{8. / 10, 2. / 10}},
		"the audit alone waits":    {[]jushuitan.Lane{jushuitan.Audit}, []float64{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, 5, 100)
				const span = 20 * time.Minute
				var parts []func(context.Context)
				for _, lane := range c.waiting {
					for range 6 { // so that one of them always waits
						parts = append(parts, s.keep(lane))
					}
				}
				run(t, span, parts...)
				total, refused := s.count(0, span)
				if total < 2000*95/100 || refused > 0 {
					t.Errorf("%d calls of 2000 used, %d refused", total, refused)
				}
				for i, lane := range c.waiting {
					taken, _ := s.count(0, span, lane)
					share := float64(taken) / float64(total)
					t.Logf("%s: %.3f of the calls, by weight %.3f", lane, share, c.shares[i])
					// In a rush the even pace costs the lower lanes some of their turns.
					if share < 0.75*c.shares[i] || share > 1.1*c.shares[i]+0.01 {
						t.Errorf("%s: %.3f of the calls, want %.3f", lane, share, c.shares[i])
					}
				}
			})
		})
	}
}

func TestALaneSavesUpNoTurnsWhileItIsIdle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		idle, busy jushuitan.Lane
		least      int // calls of the busy lane in the five minutes after the idle one came
	}{
		"a backfill comes amid a rush": {jushuitan.Backfill, jushuitan.Live, 400},
		"a rush comes amid a backfill": {jushuitan.Live, jushuitan.Backfill, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, 5, 100)
				const idle, span = 10 * time.Minute, 15 * time.Minute
				var parts []func(context.Context)
				for range 6 {
					parts = append(parts, s.keep(c.busy), func(ctx context.Context) {
						_ = wait(ctx, idle)
						s.keep(c.idle)(ctx)
					})
				}
				run(t, span, parts...)
				if taken, _ := s.count(idle, span, c.busy); taken < c.least {
					t.Errorf("%s got %d calls after the idle lane came, want %d", c.busy, taken, c.least)
				}
			})
		})
	}
}

// Polls behind hours of catching up, which left the other lanes as much as their pace allowed, wait no longer than others.
func TestLiveGoesFirstAfterARush(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]struct{ perSecond, perMinute int }{"the vendor's rates": {5, 100}, "a rate of bursts": {20, 60}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, rate.perSecond, rate.perMinute)
				const rush, span = 10 * time.Minute, 20 * time.Minute
				parts := []func(context.Context){func(ctx context.Context) {
					_ = wait(ctx, rush)
					s.poll(ctx)
				}}
				for range 6 {
					parts = append(parts, func(ctx context.Context) {
						ctx, cancel := context.WithTimeout(ctx, rush)
						defer cancel()
						s.keep(jushuitan.Live)(ctx)
					})
				}
				for lane := jushuitan.Repair; lane <= jushuitan.Audit; lane++ {
					parts = append(parts, s.keep(lane), s.keep(lane))
				}
				run(t, span, parts...)
				for lane := jushuitan.Live; lane <= jushuitan.Audit; lane++ {
					taken, _ := s.count(0, rush, lane)
					if t.Logf("%s: %d calls in the rush", lane, taken); taken == 0 && lane != jushuitan.Tokens {
						t.Errorf("%s: no call in the rush", lane)
					}
				}
				if p99, worst := s.freshness(); worst.by > 5*time.Second {
					t.Errorf("live freshness after the rush: p99 %s, worst %s", p99, worst)
				}
			})
		})
	}
}

func TestLanesHaveStableNames(t *testing.T) {
	t.Parallel()
	var got []string
	for _, lane := range slices.Sorted(maps.Keys(newClient(t, config(jushuitan.OpenAPI, "")).Usage().Sent)) {
		got = append(got, lane.String())
	}
	if diff := cmp.Diff([]string{"live", "token", "repair", "sweep", "backfill", "audit"}, got); diff != "" {
		t.Error(diff)
	}
}

// run lets the parts work for the span and waits for their end.
func run(t *testing.T, span time.Duration, parts ...func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(func() { part(ctx) })
	}
	all.Wait()
}
