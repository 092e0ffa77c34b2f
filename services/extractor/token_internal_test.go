package extractor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
)

const (
	refreshRoute = "/openWeb/auth/refreshToken"
	day          = 24 * time.Hour
	// travel is how long a call is on its way, there and back.
	travel = 5 * time.Second
)

// memory is a store of tokens with the compare-and-set of the real one.
type memory struct {
	mu       sync.Mutex
	token    StoredToken
	revision uint64
	sealed   bool
	down     error
}

func (m *memory) Load(ctx context.Context, _ string) (StoredToken, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return StoredToken{}, 0, ctx.Err()
	case m.down != nil:
		return StoredToken{}, 0, m.down
	case m.sealed:
		return StoredToken{}, m.revision, ErrTokenSealed
	default:
		return m.token, m.revision, nil
	}
}

func (m *memory) Save(ctx context.Context, _ string, token StoredToken, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case m.down != nil:
		return 0, m.down
	case revision != m.revision:
		return 0, ErrTokenConflict
	}
	m.token, m.sealed = token, false
	m.revision++
	return m.revision, nil
}

func (m *memory) change(change func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func (m *memory) look() StoredToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.token
}

// world is one ERP, one store, and what was written by all processes of a test. It lives in a bubble of synctest.
type world struct {
	box   *sandbox.Sandbox
	store *memory

	mu        sync.Mutex
	out       bytes.Buffer
	inFlight  int
	overlap   bool
	refreshes []time.Time // when they were sent
	unknown   time.Duration
}

func newWorld(t *testing.T, cfg sandbox.Config) *world {
	t.Helper()
	cfg.Now = time.Now
	box, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{box: box, store: &memory{}}
}

func (w *world) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(text)
}

func (w *world) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.String()
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == refreshRoute || r.URL.Query().Get("method") == "refresh.token" {
		w.mu.Lock()
		w.inFlight++
		w.overlap = w.overlap || w.inFlight > 1
		w.refreshes = append(w.refreshes, time.Now())
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			w.inFlight--
			w.mu.Unlock()
		}()
	} else if w.notYetKnown() {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"code":100}`)), Request: r}, nil
	}
	for range 2 {
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.NewTimer(travel / 2).C:
		}
	}
	answer := httptest.NewRecorder()
	w.box.ServeHTTP(answer, r)
	if answer.Body.Len() == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return answer.Result(), nil
}

// notYetKnown plays a gateway that learns a refreshed token late.
func (w *world) notYetKnown() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.refreshes) > 0 && time.Since(w.refreshes[len(w.refreshes)-1]) < w.unknown
}

// sent is how many refreshes were sent.
func (w *world) sent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.refreshes)
}

// deps are those of a process of this name; change may replace some.
func (w *world) deps(t *testing.T, name string, change func(*keeperDeps)) keeperDeps {
	t.Helper()
	log := logrus.New()
	log.SetOutput(w)
	d := keeperDeps{
		store: w.store, log: log, reg: prometheus.NewRegistry(), now: time.Now, source: "main", holder: name,
		erp: jushuitan.Config{
			BaseURL: "http://erp.example", Gateway: jushuitan.OpenAPI, AppKey: sandbox.DefaultAppKey, AppSecret: secret.New(sandbox.DefaultAppSecret),
			AccessToken: secret.New(sandbox.DefaultAccessToken), RefreshToken: secret.New(sandbox.DefaultRefreshToken),
			RatePerSecond: 10_000, RatePerMinute: 600_000, Now: time.Now, HTTP: w,
		},
	}
	if change != nil {
		change(&d)
	}
	client, err := jushuitan.New(d.erp)
	if err != nil {
		t.Fatal(err)
	}
	d.client = client
	return d
}

func open(t *testing.T, d keeperDeps) *keeper {
	t.Helper()
	k, err := openKeeper(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// start runs the keeper until the returned function is called, which waits for its end.
func start(ctx context.Context, k *keeper) func() {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		k.run(ctx)
		close(ended)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func ask(ctx context.Context, k *keeper) error {
	now := time.Now()
	_, err := k.Query(ctx, jushuitan.SalesOut(), jushuitan.SalesOutQuery{
		PageIndex: 1, PageSize: 50, Begin: jushuitan.At(now.Add(-time.Hour)), End: jushuitan.At(now),
	})
	return err
}

// wait lets the bubble's time pass.
func wait(d time.Duration) { <-time.NewTimer(d).C }

// clean fails if a token or the secret stands in what was logged, or in text.
func (w *world) clean(t *testing.T, text string) {
	t.Helper()
	text += w.log()
	hidden := []string{sandbox.DefaultAppSecret, sandbox.DefaultAccessToken, sandbox.DefaultRefreshToken}
	stored := w.store.look()
	for _, value := range append(hidden, stored.Access.Reveal(), stored.Refresh.Reveal(), stored.Origin) {
		if value != "" && strings.Contains(text, value) {
			t.Errorf("a token is shown: %s", text)
		}
	}
}

// load is three processes whose callers ask without pause; stop ends them and returns the failures that a caller saw.
func (w *world) load(t *testing.T) func() []error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	for i := range 3 {
		k := open(t, w.deps(t, fmt.Sprintf("process %d", i), nil))
		group.Go(func() { k.run(ctx) })
		for range 3 {
			group.Go(func() {
				for ctx.Err() == nil {
					if err := ask(ctx, k); err != nil && ctx.Err() == nil {
						mu.Lock()
						failures = append(failures, err)
						mu.Unlock()
						return
					}
				}
			})
		}
	}
	return func() []error {
		cancel()
		group.Wait()
		return failures
	}
}

// eachWay runs a test where a refresh keeps the values and where it kills the old ones.
func eachWay(t *testing.T, test func(t *testing.T, rotate bool)) {
	t.Helper()
	for name, rotate := range map[string]bool{"a refresh keeps the values": false, "a refresh kills the old values": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, rotate) })
		})
	}
}

func TestManyProcessesRefreshOnceATerm(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, rotate bool) {
		const terms, term = 50, 12 * time.Minute
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
		const deaths = 50
		w := newWorld(t, sandbox.Config{RotateTokens: rotate})
		stop := w.load(t)
		for range deaths {
			wait(2 * time.Minute)
			w.box.RevokeToken()
		}
		wait(2 * time.Minute)
		w.noFailure(t, stop(), deaths+1) // and one at the start, to learn the term
		if met := w.box.Ledger().Calls()[sandbox.Call{Route: "/open/orders/out/simple/query", Code: 100}]; met < deaths {
			t.Errorf("%d calls met code 100, want at least one a death", met)
		}
	})
}

// noFailure checks what a caller, the ERP and a reader of the log saw.
func (w *world) noFailure(t *testing.T, failures []error, refreshes int) {
	t.Helper()
	if len(failures) > 0 {
		t.Errorf("%d callers saw a failure, the first: %v", len(failures), failures[0])
	}
	if got := w.box.Ledger().Calls()[sandbox.Call{Route: refreshRoute}]; got != refreshes || w.sent() != refreshes {
		t.Errorf("%d refreshes sent, %d carried out, want %d", w.sent(), got, refreshes)
	}
	if w.overlap {
		t.Error("two refreshes were in flight at once")
	}
	w.clean(t, "")
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

func (m *mortal) Save(ctx context.Context, source string, token StoredToken, revision uint64) (uint64, error) {
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

// wantExpired fails unless err is a dead token's with these texts and without a token.
func (w *world) wantExpired(t *testing.T, err error, texts ...string) {
	t.Helper()
	if kindOf(err) != jushuitan.TokenExpired {
		t.Fatalf("got %v, want an expired token", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
	w.clean(t, err.Error())
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
				w.clean(t, "")
			})
		})
	}
}
