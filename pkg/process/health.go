package process

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// checkTimeout bounds all checks of one /readyz request together.
const checkTimeout = 3 * time.Second

// Health knows whether the process is ready for work. The zero Health has no checks and is ready. All methods are safe for
// concurrent use.
type Health struct {
	mu       sync.Mutex
	checks   []check
	draining atomic.Bool
}

type check struct {
	name string
	ask  func(context.Context) error
}

// Add adds a check that must return nil for the process to be ready, e.g. that NATS is connected. It is asked on each request, by
// several goroutines at once, and shall return when its context ends. Its error is shown to who asks; it holds no secrets.
func (h *Health) Add(name string, ask func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{name, ask})
}

// Drain makes the process not ready for good: it finishes what it has in hand and takes on nothing new.
func (h *Health) Drain() { h.draining.Store(true) }

// report asks every check and returns one line for each, and whether all are well.
func (h *Health) report(ctx context.Context) (string, bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	h.mu.Lock()
	checks := slices.Clone(h.checks)
	h.mu.Unlock()

	var text strings.Builder
	ready := !h.draining.Load()
	if !ready {
		text.WriteString("draining\n")
	}
	for _, c := range checks {
		if err := c.ask(ctx); err != nil {
			ready = false
			_, _ = fmt.Fprintf(&text, "%s: %v\n", c.name, err)
			continue
		}
		_, _ = fmt.Fprintf(&text, "%s: ok\n", c.name)
	}
	if ready {
		text.WriteString("ready\n")
	}
	return text.String(), ready
}

// live answers /healthz and /livez: whoever can answer is alive. It asks no check, or a NATS outage would restart every service.
func (h *Health) live(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") }

// ready answers /readyz.
func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	text, ready := h.report(r.Context())
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeText(w, status, text)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the one who asked has gone
}
