package extractor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
)

func TestWhichTokenIsUsedAtTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store  func(*memory, keeperDeps) // what stands there before the start
		edit   func(*keeperDeps)
		works  bool   // the first order call succeeds without a refresh
		log    string // is written at the start
		stored string // the access token of the record after the start
	}{
		"nothing stored: the environment's, and it is stored": {
			works: true, stored: sandbox.DefaultAccessToken,
		},
		"a record of the environment's tokens": {
			store: func(m *memory, d keeperDeps) {
				d.erp.AccessToken = secret.New("old-access-of-the-environment")
				m.token, m.revision = control.Token{Access: secret.New(sandbox.DefaultAccessToken), Refresh: secret.New("r"), Origin: originOf(d.erp)}, 7
			},
			edit:  func(d *keeperDeps) { d.erp.AccessToken = secret.New("old-access-of-the-environment") },
			works: true, stored: sandbox.DefaultAccessToken,
		},
		"a record of older tokens, since the operator has authorised again": {
			store: func(m *memory, _ keeperDeps) {
				m.token, m.revision = control.Token{Access: secret.New("dead-access"), Refresh: secret.New("dead-refresh"), Origin: "of last year"}, 7
			},
			works: true, log: "the environment's tokens are new and replace the stored ones", stored: sandbox.DefaultAccessToken,
		},
		"a record of newer tokens than ours, on a process that was not told": {
			store: func(m *memory, d keeperDeps) {
				d.erp.AccessToken = secret.New("access-of-last-year")
				m.token, m.revision = control.Token{
					Access: secret.New(sandbox.DefaultAccessToken), Refresh: secret.New("r"), Origin: "of this year", Former: []string{originOf(d.erp)},
				}, 7
			},
			edit:  func(d *keeperDeps) { d.erp.AccessToken = secret.New("access-of-last-year") },
			works: true, stored: sandbox.DefaultAccessToken,
		},
		"a record of another refresh token, since the operator has corrected it": {
			store: func(m *memory, d keeperDeps) {
				d.erp.RefreshToken = secret.New("mistyped")
				m.token, m.revision = control.Token{Access: d.erp.AccessToken, Refresh: d.erp.RefreshToken, Origin: originOf(d.erp)}, 7
			},
			works: true, log: "the environment's tokens are new", stored: sandbox.DefaultAccessToken,
		},
		"a record sealed with another app secret": {
			store: func(m *memory, _ keeperDeps) {
				m.token, m.revision, m.sealed = control.Token{Access: secret.New("sealed-access")}, 7, true
			},
			works: true, log: "level=warning msg=\"the stored token was sealed with another app secret, using the environment's\"", stored: "sealed-access",
		},
		"a record sealed with the right app secret, and ours is wrong": {
			store: func(m *memory, _ keeperDeps) {
				m.token, m.revision, m.sealed = control.Token{Access: secret.New("sealed-access")}, 7, true
			},
			edit: func(d *keeperDeps) { d.erp.AppSecret = secret.New("mistyped") },
			log:  "nothing if JST_APP_SECRET was changed, else set it back", stored: "sealed-access",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sandbox.Config{})
				if c.store != nil {
					c.store(w.store, w.deps(t, "before", nil))
				}
				k := open(t, w.deps(t, "a", c.edit))
				if stored := w.store.look().Access.Reveal(); stored != c.stored {
					t.Errorf("stored is %q", stored)
				}
				if !strings.Contains(w.log(), c.log) || c.log == "" && w.log() != "" {
					t.Errorf("log %q, want %q", w.log(), c.log)
				}
				stop := start(t.Context(), k)
				defer stop()
				wait(time.Second)
				err := ask(t.Context(), k)
				if (err == nil) != c.works {
					t.Errorf("the first call: %v", err)
				}
				wait(2 * time.Minute)
				if stored := w.store.look(); c.works != (stored.Access.Reveal() == sandbox.DefaultAccessToken) {
					t.Errorf("in the end is stored %q", stored.Access.Reveal())
				}
			})
		})
	}
}

func TestARefreshThatAnotherProcessMadeIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sandbox.Config{RotateTokens: true})
		one, other := open(t, w.deps(t, "one", nil)), open(t, w.deps(t, "other", nil))
		w.box.RevokeToken()
		for _, k := range []*keeper{one, other} {
			if err := ask(t.Context(), k); err != nil {
				t.Error(err)
			}
		}
		if w.sent() != 1 {
			t.Errorf("%d refreshes, want 1", w.sent())
		}
	})
}

func TestAnAcceptedRefreshIsStoredAlthoughTheStoreOrTheProcessStopsMeanwhile(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(w *world, stop context.CancelFunc){
		"the store is away for a while": func(w *world, _ context.CancelFunc) {
			w.store.change(func(m *memory) { m.down = errors.New("no servers") })
			wait(2 * time.Minute)
			w.store.change(func(m *memory) { m.down = nil })
		},
		"the process is stopped":              func(_ *world, stop context.CancelFunc) { stop() },
		"another has taken the claim over":    func(w *world, _ context.CancelFunc) { w.store.change(takeOver) },
		"another process took it and is away": func(w *world, stop context.CancelFunc) { w.store.change(takeOver); stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sandbox.Config{RotateTokens: true})
				ctx, cancel := context.WithCancel(t.Context())
				stop := start(ctx, open(t, w.deps(t, "a", nil)))
				wait(travel / 2) // the call is on its way
				meanwhile(w, cancel)
				wait(Grace + travel)
				stop()
				stored := w.store.look()
				if stored.Access.Reveal() == sandbox.DefaultAccessToken || stored.Claim != nil || stored.Term != 30*day {
					t.Errorf("the refreshed token is not stored; claim %v, term %v", stored.Claim, stored.Term)
				}
				if err := ask(t.Context(), open(t, w.deps(t, "next", nil))); err != nil || w.sent() != 1 {
					t.Errorf("the next process: %v after %d refreshes", err, w.sent())
				}
				w.clean(t, "")
			})
		})
	}
}

func takeOver(m *memory) {
	m.revision++
	m.token.Claim = &control.Claim{Holder: "another", At: time.Now()}
}

func TestANewerTokenOfTheOperatorIsNotOverwritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sandbox.Config{})
		k := open(t, w.deps(t, "a", nil))
		stop := start(t.Context(), k)
		wait(travel / 2)
		w.store.change(func(m *memory) {
			m.revision++
			m.token = control.Token{Access: secret.New("newer-access"), Refresh: secret.New("newer-refresh"), Origin: "newer"}
		})
		wait(travel)
		if used, stored := k.look().token, w.store.look(); stored.Origin != "newer" || used.Access != stored.Access {
			t.Errorf("stored is of %q", stored.Origin)
		}
		stop()
	})
}

func TestTroubleThatMayPassIsNoExpiredToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		box     sandbox.Config
		trouble func(*world)
		kind    jushuitan.Kind
	}{
		"the ERP does not answer the refresh": {sandbox.Config{LoseRefreshes: 1}, func(*world) {}, jushuitan.Unreachable},
		"the store does not answer": {sandbox.Config{}, func(w *world) {
			w.store.change(func(m *memory) { m.down = errors.New("no servers") })
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.box)
				k := open(t, w.deps(t, "a", nil))
				w.box.RevokeToken()
				c.trouble(w)
				err := ask(t.Context(), k)
				if err == nil || kindOf(err) != c.kind {
					t.Errorf("got %v, want kind %q", err, c.kind)
				}
				w.store.change(func(m *memory) { m.down = nil })
				if err := ask(t.Context(), k); err != nil {
					t.Errorf("after the trouble: %v", err)
				}
			})
		})
	}
}

func TestTheERPsDelaysAreWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		box     sandbox.Config
		unknown time.Duration
		// want are the pauses between refreshes of the first two days.
		want []time.Duration
	}{
		"a lost answer is asked for again":            {sandbox.Config{LoseRefreshes: 1}, 0, []time.Duration{afterTrouble}},
		"a term that did not grow is looked at again": {sandbox.Config{TokenTTL: day, StaleRefreshes: 2}, 0, []time.Duration{16 * time.Hour, time.Hour, 16 * time.Hour}},
		"a new token that is not known everywhere":    {sandbox.Config{}, 12 * time.Second, nil},
		"a refresh that is taken in the last week alone": {
			sandbox.Config{TokenTTL: 8 * day, RefreshLastWeekOnly: true}, 0, []time.Duration{day},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.box)
				w.unknown = c.unknown
				k := open(t, w.deps(t, "a", nil))
				stop := start(t.Context(), k)
				wait(travel)
				if err := ask(t.Context(), k); err != nil {
					t.Error(err)
				}
				wait(2*day - time.Hour)
				if err := ask(t.Context(), k); err != nil {
					t.Error(err)
				}
				stop()
				var pauses []time.Duration
				for i := 1; i < len(w.refreshes); i++ {
					pauses = append(pauses, w.refreshes[i].Sub(w.refreshes[i-1]).Round(time.Minute))
				}
				if diff := cmp.Diff(c.want, pauses); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWhenATokenIsRefreshed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		left, term, notBefore time.Duration
		want                  time.Duration
	}{
		"an unknown term is asked for at once":         {0, 0, 0, 0},
		"an unknown term after a refusal, a day later": {0, 0, day, day},
		"a year: six days before its end":              {300 * day, 365 * day, 0, 294 * day},
		"a month: six days before its end":             {30 * day, 30 * day, 0, 24 * day},
		"a day: eight hours before its end":            {day, day, 0, 16 * time.Hour},
		"an end without a term: six days before it":    {30 * day, 0, 0, 24 * day},
		"not before the next try":                      {5 * day, 30 * day, time.Hour, time.Hour},
		"what was missed is due":                       {day, 30 * day, 0, -5 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tokenState{token: control.Token{Term: c.term}}
			if c.left > 0 {
				s.token.Expires = now.Add(c.left)
			}
			if c.notBefore > 0 {
				s.notBefore = now.Add(c.notBefore)
			}
			if got := s.due(now).Sub(now); got != c.want {
				t.Errorf("due in %v, want %v", got, c.want)
			}
		})
	}
}

func TestAClaimHoldsForAMinuteByEachOnesOwnClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		holder string
		age    time.Duration // by our clock, when it is first seen
		span   time.Duration // how long it holds from then on
	}{
		"of this process":               {"me", 0, 0},
		"of another, just now":          {"other", 0, claimSpan},
		"of a clock that is behind":     {"other", maxSkew, claimSpan},
		"of a clock that is ahead":      {"other", -time.Hour, claimSpan},
		"of one that was killed before": {"other", time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim := &control.Claim{Holder: c.holder, At: now.Add(-c.age)}
			var watch claimWatch
			for after := time.Duration(0); after < 2*claimSpan; after += time.Second {
				if held := watch.hold(claim, "me", now.Add(after)); held != (after < c.span) {
					t.Fatalf("after %v it holds: %v", after, held)
				}
			}
		})
	}
}

func TestTheTokensFigures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sandbox.Config{LoseRefreshes: 1})
		registry := prometheus.NewPedanticRegistry()
		k := open(t, w.deps(t, "a", func(d *keeperDeps) { d.metrics = tokenFigures(t, registry) }))
		figures := func() map[string]float64 {
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]float64{}
			for _, family := range families {
				for _, m := range family.GetMetric() {
					names := []string{strings.TrimPrefix(family.GetName(), "juliu_extractor_token_")}
					for _, label := range m.GetLabel() {
						names = append(names, label.GetValue())
					}
					all[strings.Join(names, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
			return all
		}
		if diff := cmp.Diff(map[string]float64{"refreshes_total accepted": 0}, figures()); diff != "" {
			t.Error(diff)
		}
		began := time.Now()
		stop := start(t.Context(), k)
		wait(15 * day)
		stop()
		got := figures()
		days := got["days_left"]
		delete(got, "days_left")
		want := map[string]float64{
			"refreshes_total accepted": 1, "refreshes_total unreachable": 1,
			"expiry_timestamp_seconds": float64(began.Add(30*day + afterTrouble + travel).Unix()),
		}
		if diff := cmp.Diff(want, got); diff != "" || days < 15 || days > 15.01 {
			t.Error(diff, days)
		}
	})
}

func TestAKeeperWithoutItsFiguresOrItsStoreIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Config{})
	d := w.deps(t, "a", nil)
	open(t, d)
	w.store.down = http.ErrServerClosed
	if _, err := openKeeper(t.Context(), d); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("got %v", err)
	}
}
