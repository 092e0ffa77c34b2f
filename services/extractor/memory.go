package extractor

import (
	"context"
	"fmt"
	"time"

	"juliu/pkg/jushuitan"
)

// What the writer knows of the stream: as much as any lane may be shown again.

// cover makes sure that every version is known that may be stored of rows modified since a time, and keeps it known until the lane is
// done.
func (w *writer) cover(ctx context.Context, lane jushuitan.Lane, since time.Time) error {
	if w.hold(lane, since) {
		return nil
	}
	// Read without the lock: the live lane goes on, and adds what it stores meanwhile.
	known, err := w.load(ctx, since)
	if err != nil {
		return fmt.Errorf("learn what is stored of %s: %w", w.resource.Schema.Resource, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known.Merge(known)
	return nil
}

// hold keeps known what is known of rows modified since a time, until the lane is done. It tells whether the lane held as much already.
func (w *writer) hold(lane jushuitan.Lane, since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	floor, ok := w.floors[lane]
	if ok && !since.Before(floor) {
		return true
	}
	w.floors[lane] = since
	return false
}

// past is the window before the cursor that a lane reads again, at most span long and not before the source began. What is known of it is
// held: the live lane remembers as much, and would forget it in long steps while it catches up.
func (w *writer) past(lane jushuitan.Lane, span time.Duration) Window {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.journal.Checkpoint()
	window := Window{Begin: c.GetCursor().AsTime().Add(-span).Truncate(time.Second), End: c.GetCursor().AsTime()}
	if start := c.GetStart().AsTime(); start.After(window.Begin) {
		window.Begin = start.Truncate(time.Second)
	}
	w.floors[lane] = window.Begin.Add(-clockMargin)
	return window
}

// done ends what a lane held.
func (w *writer) done(lane jushuitan.Lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.floors, lane)
}

// forget drops the keys that no lane is shown again: modified before a time, and of a row version before ts, unless that is 0.
func (w *writer) forget(before time.Time, ts int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, floor := range w.floors {
		if floor.Before(before) {
			before = floor
		}
	}
	w.known.Forget(before, ts)
}

// stored are the keys whose newest version on the stream was modified within a window.
func (w *writer) stored(window Window) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known.Within(window.Begin, window.End)
}

// tsBefore is the highest row version stored of what was modified before a time; 0 when none is known.
func (w *writer) tsBefore(before time.Time) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known.TSBefore(before)
}
