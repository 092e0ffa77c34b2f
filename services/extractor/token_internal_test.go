package extractor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
)

func TestManyProcessesRefreshOnceATerm(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, rotate bool) {
		t.Helper()
		const terms, term = 50, 5 * time.Minute
		w := newWorld(t, sandbox.Config{TokenTTL: term, RotateTokens: rotate})
		stop := w.load(t)
		for w.sent() <= terms {
			wait(term / 10)
		}
		w.noFailure(t, stop(), terms+1)
		for i := 1; i < len(w.refreshes); i++ {
			if pause := w.refreshes[i].Sub(w.refreshes[i-1]); pause < term*2/3 || pause > term*2/3+travel {
				t.Errorf("refresh %d came %v after the one before", i, pause)
			}
		}
	})
}

func TestATokenThatDiesAtOnceIsReplacedUnseen(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, rotate bool) {
		t.Helper()
		const deaths = 50
		w := newWorld(t, sandbox.Config{RotateTokens: rotate})
		stop := w.load(t)
		for range deaths {
			wait(90 * time.Second)
			w.box.RevokeToken()
		}
		wait(90 * time.Second)
		w.noFailure(t, stop(), deaths+1) // and one at the start, to learn the term
		if met := w.box.Ledger().Calls()[sandbox.Call{Route: "/open/orders/out/simple/query", Code: 100}]; met < deaths {
			t.Errorf("%d calls met code 100, want at least one a death", met)
		}
	})
}

// mortal is a process that is killed at a step of a refresh: from then on nothing that it does has an effect.
type mortal struct {
	tokenClient
	*memory

	step string
	kill context.CancelFunc
	dead bool
}

var errKilled = errors.New("killed")

// reach reports whether the process is dead; it dies at its step.
func (m *mortal) reach(step string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if step == m.step {
		m.dead = true
		m.kill()
	}
	return m.dead
}

func (m *mortal) Save(ctx context.Context, source string, token control.Token, revision uint64) (uint64, error) {
	what := "the save"
	if token.Claim != nil {
		what = "the claim"
	} else if token.Expires.IsZero() {
		what = "another save"
	}
	if m.reach("before " + what) {
		return 0, errKilled
	}
	revision, err := m.memory.Save(ctx, source, token, revision)
	if m.reach("after " + what) {
		return 0, errKilled
	}
	return revision, err
}

func (m *mortal) RefreshToken(ctx context.Context) (jushuitan.Token, error) {
	if m.reach("before the call") {
		return jushuitan.Token{}, errKilled
	}
	token, err := m.tokenClient.RefreshToken(ctx)
	if m.reach("after the call") {
		return jushuitan.Token{}, errKilled
	}
	return token, err
}

func TestAKilledRefreshIsContinued(t *testing.T) {
	t.Parallel()
	for step, want := range map[string]struct {
		early, late int  // refreshes sent within 50 s and two minutes after the restart, by both processes
		lost        bool // the token is lost where a refresh kills the old values
	}{
		"before the claim": {1, 1, false},
		"after the claim":  {0, 1, false},
		"before the call":  {0, 1, false},
		"after the call":   {1, 2, true},
		"before the save":  {1, 2, true},
		"after the save":   {1, 1, false},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, rotate bool) {
				t.Helper()
				w := newWorld(t, sandbox.Config{RotateTokens: rotate})
				ctx, kill := context.WithCancel(t.Context())
				d := w.deps(t, "killed", nil)
				victim := &mortal{tokenClient: d.client, memory: w.store, step: step, kill: kill}
				d.client, d.store = victim, victim
				open(t, d).run(ctx)
				if !victim.dead {
					t.Fatal("it was not killed")
				}

				k := open(t, w.deps(t, "next", nil))
				stop := start(t.Context(), k)
				wait(50 * time.Second)
				if w.sent() != want.early {
					t.Errorf("%d refreshes within the claim's minute, want %d", w.sent(), want.early)
				}
				wait(70 * time.Second)
				err := ask(t.Context(), k)
				stop()
				if w.sent() != want.late || w.overlap {
					t.Errorf("%d refreshes, want %d; two in flight: %v", w.sent(), want.late, w.overlap)
				}
				if rotate && want.lost {
					w.wantExpired(t, err, "code 100", "the refresh was refused", "authorise the app again", "JST_ACCESS_TOKEN")
					return
				}
				if stored := w.store.look(); err != nil || stored.Claim != nil || stored.Term != 30*day {
					t.Errorf("error %v; stored claim %v, term %v", err, stored.Claim, stored.Term)
				}
				w.clean(t, "")
			})
		})
	}
}

func TestWhatAnOperatorReads(t *testing.T) {
	t.Parallel()
	wrongRefresh := func(d *keeperDeps) { d.erp.RefreshToken = secret.New("a-refresh-token-of-last-year") }
	partner := func(d *keeperDeps) { d.erp.Gateway, d.erp.RefreshToken = jushuitan.Partner, secret.Text{} }
	for name, c := range map[string]struct {
		box  sandbox.Config
		edit func(*keeperDeps)
		// log is what three days of a living token write, and how often; sent is how many refreshes are tried in them.
		log  map[string]int
		sent int
		// text is what the error of a dead token says; nil where the refresh cures it.
		text []string
	}{
		"no refresh token": {
			edit: func(d *keeperDeps) { d.erp.RefreshToken = secret.Text{} },
			log:  map[string]int{"level=info msg=\"the access token is not refreshed\"": 1, "set JST_REFRESH_TOKEN": 1, "level=": 1},
			text: []string{"JST_REFRESH_TOKEN is not set", "authorise the app again", "set JST_ACCESS_TOKEN and JST_REFRESH_TOKEN"},
		},
		"an app that may not refresh": {
			box: sandbox.Config{ISV: true},
			log: map[string]int{
				"level=warning msg=\"the access token cannot be refreshed\"": 3, "code 150": 3, "authorise the app again": 3,
				"expires=unknown": 3, "level=": 3,
			},
			sent: 3,
			text: []string{"code 100", "the refresh was refused", "code 150", "authorise the app again", "JST_ACCESS_TOKEN"},
		},
		"a dead refresh token": {
			edit: wrongRefresh,
			log: map[string]int{
				"level=warning msg=\"the access token cannot be refreshed\"": 3, "refresh_token无效或已过期": 3, "authorise the app again": 3, "level=": 3,
			},
			sent: 3,
			text: []string{"the refresh was refused", "refresh_token无效或已过期", "authorise the app again", "JST_ACCESS_TOKEN"},
		},
		"a refresh that is too early": {
			box: sandbox.Config{RefreshLastWeekOnly: true},
			log: map[string]int{
				"level=info msg=\"the ERP does not refresh the access token yet, so it is not known when it expires\"": 3, "level=": 3,
			},
			sent: 3,
			text: []string{"the refresh was refused", "code 130", "authorise the app again", "JST_ACCESS_TOKEN"},
		},
		"a partner": {
			edit: partner,
			log:  map[string]int{"level=info msg=\"access token refreshed\"": 1, "2000-01-31T00:00:00Z": 1, "level=": 1},
			sent: 1,
			text: []string{"the refresh was refused", "set JST_ACCESS_TOKEN", "partner platform"},
		},
		"all well": {
			log:  map[string]int{"level=info msg=\"access token refreshed\"": 1, "level=": 1},
			sent: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.box)
				k := open(t, w.deps(t, "a", c.edit))
				stop := start(t.Context(), k)
				wait(3*day - time.Hour)
				if err := ask(t.Context(), k); err != nil {
					t.Errorf("while it lives: %v", err)
				}
				stop()
				for text, want := range c.log {
					if got := strings.Count(w.log(), text); got != want {
						t.Errorf("%q stands %d times in the log, want %d:\n%s", text, got, want, w.log())
					}
				}
				if w.sent() != c.sent {
					t.Errorf("%d refreshes in three days, want %d", w.sent(), c.sent)
				}
				w.box.RevokeToken()
				sent := w.sent()
				err := ask(t.Context(), k)
				if c.text == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				w.wantExpired(t, err, c.text...)
				w.wantExpired(t, ask(t.Context(), k), c.text...)
				if w.sent() > sent+2 {
					t.Errorf("%d refreshes for two calls", w.sent()-sent)
				}
				if claim := w.store.look().Claim; claim != nil {
					t.Errorf("the claim of %s was not taken back", claim.Holder)
				}
				w.clean(t, "")
			})
		})
	}
}
