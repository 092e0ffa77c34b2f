package extractor

import (
	"bytes"
	"context"
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

	"juliu/pkg/control"
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
	token    control.Token
	revision uint64
	sealed   bool
	down     error
}

func (m *memory) Load(ctx context.Context, _ string) (control.Token, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return control.Token{}, 0, ctx.Err()
	case m.down != nil:
		return control.Token{}, 0, m.down
	case m.sealed:
		return control.Token{}, m.revision, control.ErrSealed
	default:
		return m.token, m.revision, nil
	}
}

func (m *memory) Save(ctx context.Context, _ string, token control.Token, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case m.down != nil:
		return 0, m.down
	case revision != m.revision:
		return 0, control.ErrConflict
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

func (m *memory) look() control.Token {
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

func tokenFigures(t *testing.T, registry *prometheus.Registry) *tokenMetrics {
	t.Helper()
	m, err := newTokenMetrics(registry, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// deps are those of a process of this name; change may replace some.
func (w *world) deps(t *testing.T, name string, change func(*keeperDeps)) keeperDeps {
	t.Helper()
	log := logrus.New()
	log.SetOutput(w)
	d := keeperDeps{
		store: w.store, log: log, metrics: tokenFigures(t, prometheus.NewRegistry()), now: time.Now, source: "main", holder: name,
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
		for range 2 {
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
