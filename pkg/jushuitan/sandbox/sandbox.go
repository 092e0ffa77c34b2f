// Package sandbox simulates the order query of the Jushuitan open platform (orders.out.simple.query, 销售出库查询) with both of its
// gateways and its token routes, as strict and as nasty as the real one: signatures, clock, tokens, whitelist, grants, both rate
// limits, rows that change while they are paged, commits that show late, and every fault that a caller has to survive.
//
// One Sandbox has two doors: tests mount it on net/http/httptest, and a program serves it. It remembers every version of every order
// that it ever showed; Ledger gives that to a test that wants to know whether anything was lost.
//
// Vendor's routes: POST /open/orders/out/simple/query, POST /api/open/query.aspx, POST /openWeb/auth/{getInitToken, accessToken,
// refreshToken}; anything else is code 190. Ours beside them, which need no signature: GET /__sandbox/ (a page for people),
// GET /__sandbox/ledger (Ledger.Final as JSON), POST /__sandbox/settle.
//
// It keeps all orders and versions in memory, some hundred bytes each, and forgets them at the end.
package sandbox

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Sandbox is the simulated ERP. It is safe for concurrent use.
type Sandbox struct {
	cfg       Config
	catalogue catalogue
	routes    *http.ServeMux

	mu        sync.Mutex // guards everything below
	store     *store
	traffic   Traffic
	faults    Faults
	lifeRand  *rand.Rand
	faultRand *rand.Rand
	tokens    tokens
	limit     limit
	calls     map[Call]int
}

// New makes a Sandbox with the orders of the start. The error names every setting that is wrong.
func New(cfg Config) (*Sandbox, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Sandbox{
		cfg:       cfg,
		catalogue: catalogue{seed: cfg.Seed, shops: cfg.Shops, omitBatches: cfg.OmitBatches, zone: china(), words: newVocabulary()},
		store:     newStore(),
		traffic:   cfg.Traffic,
		faults:    cfg.Faults,
		lifeRand:  rand.New(rand.NewPCG(cfg.Seed, 1)), //nolint:gosec // Repeatable on purpose.
		faultRand: rand.New(rand.NewPCG(cfg.Seed, 2)), //nolint:gosec // Repeatable on purpose.
		limit:     limit{perSecond: cfg.RatePerSecond, perMinute: cfg.RatePerMinute, calls: map[string][]time.Time{}},
		calls:     map[Call]int{},
	}
	s.tokens = newTokens(cfg, s.now())
	s.populate()
	s.routes = s.mount()
	return s, nil
}

// ServeHTTP answers one call of the ERP, or of the sandbox's own pages.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	now := s.now()
	s.mu.Unlock()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	s.routes.ServeHTTP(w, r)
}

// Run makes traffic at Traffic.PerSecond until ctx ends, and returns nil. It blocks; its owner gives it a goroutine and waits for it.
// Late commits, drift and faults work without it.
func (s *Sandbox) Run(ctx context.Context) error {
	const tick = 50 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := s.cfg.Now()
	owed := 0.0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := s.cfg.Now()
		s.mu.Lock()
		owed += max(s.traffic.PerSecond, 0) * max(now.Sub(last), 0).Seconds()
		s.mu.Unlock()
		last = now
		due := int(owed)
		owed -= float64(due)
		s.Step(due)
	}
}

// Step makes n changes of traffic now.
func (s *Sandbox) Step(n int) {
	for range n {
		s.mu.Lock()
		s.change()
		s.mu.Unlock()
	}
}

// SetTraffic replaces the traffic; values out of range count as the nearest within. Changes that committed late before stay late.
func (s *Sandbox) SetTraffic(t Traffic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traffic = t
}

// SetFaults replaces the faults; values out of range count as the nearest within. What remained of the Counts before is forgotten, and
// rows keep the flaws they were made with.
func (s *Sandbox) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// SetRates replaces the calls that a token may make in any second and any minute, as a vendor does who lowers them without notice; 0 and
// below is unlimited. The calls of the last minute count on, except those made while both were unlimited.
func (s *Sandbox) SetRates(perSecond, perMinute int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit.perSecond, s.limit.perMinute = max(perSecond, 0), max(perMinute, 0)
}

// Settle ends all traffic and drift and makes every late commit visible now, so that a reader can catch up. Faults stay.
func (s *Sandbox) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traffic = Traffic{}
	s.store.settle(s.now())
}

// now is the ERP's clock. The caller holds the lock, or is New.
func (s *Sandbox) now() time.Time { return s.cfg.Now().Add(s.faults.ClockSkew) }
