package extractor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"juliu/pkg/audit"
	"juliu/pkg/record"
	"juliu/pkg/stream"
)

// What the stream holds, by a pass of its own. What the writer remembers does not do for an audit: it has not seen what was deleted.

// learn reads what the stream holds of rows modified since a time, of one shop or with "" of all, and keeps it up to date until unlearn.
func (w *writer) learn(ctx context.Context, shop string, since time.Time) error {
	w.mu.Lock()
	w.held, w.heldShop = stream.NewKnown(), shop
	w.mu.Unlock()
	// Read without the lock: the other lanes go on, and hear adds what they store meanwhile.
	known, err := w.reload(ctx, shop, since)
	if err != nil {
		return fmt.Errorf("read what is stored of %s: %w", w.resource.Schema.Resource, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held.Merge(known)
	return nil
}

// unlearn ends learn.
func (w *writer) unlearn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = nil
}

// hear notes what was stored just now; the caller holds the lock.
func (w *writer) hear(chunk []record.Record) {
	if w.held == nil {
		return
	}
	if w.heldShop != "" {
		chunk = slices.DeleteFunc(slices.Clone(chunk), func(r record.Record) bool { return r.Shop != w.heldShop })
	}
	w.held.Add(chunk)
}

// count is how many keys have their newest version within a span.
func (w *writer) count(begin, end time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held.Count(begin, end)
}

// within are the keys whose newest version lies within a window.
func (w *writer) within(window Window) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held.Within(window.Begin, window.End)
}

// moments are some times at which a key of a window was modified.
func (w *writer) moments(window Window, most int) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held.Moments(window.Begin, window.End, most)
}

// holds is what is held of a key; nil for nothing.
func (w *writer) holds(key string) *audit.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	version, mark, ok := w.held.Find(key)
	if !ok {
		return nil
	}
	return &audit.Entry{Key: key, Version: version, Mark: mark}
}
