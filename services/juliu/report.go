package juliu

import (
	"context"
	"fmt"
	"time"

	"juliu/pkg/stream"
)

// snapshot is what the last line showed.
type snapshot struct {
	at     time.Time
	stored int64
}

// report prints the state of a running Stack.
type report struct {
	app    App
	stack  *Stack
	source string
	began  time.Time
	last   snapshot
}

// tick prints one line.
func (r *report) tick(ctx context.Context) {
	now := r.app.Now()
	snap, err := stream.TakeSnapshot(ctx, r.stack.Conn)
	if err != nil {
		_, _ = fmt.Fprintf(r.app.Err, "juliu: read the state of the stream: %v\n", err)
		return
	}
	stats := r.stack.Extractor.Stats()
	rate := float64(stats.Stored-r.last.stored) / now.Sub(r.last.at).Seconds()
	r.last = snapshot{at: now, stored: stats.Stored}
	_, _ = fmt.Fprintf(r.app.Out, "%8s  newest order %s  %5.0f/s  stored %d  loaded %d  waiting %d  dead letters %d\n",
		now.Sub(r.began).Round(time.Second), ago(now, stats.Newest), rate, stats.Stored, r.stack.Loader.Stats().Written, snap.Lag(), snap.DeadLetters)
}

// summary prints what was done.
func (r *report) summary(ctx context.Context) {
	stats, loaded := r.stack.Extractor.Stats(), r.stack.Loader.Stats()
	_, _ = fmt.Fprintf(r.app.Out, "stopped after %s: %d orders stored, %d loaded", r.app.Now().Sub(r.began).Round(time.Second), stats.Stored, loaded.Written)
	if snap, err := stream.TakeSnapshot(ctx, r.stack.Conn); err == nil {
		_, _ = fmt.Fprintf(r.app.Out, "; the stream holds %d records, %d wait for the loader, %d dead letters", snap.Records, snap.Lag(), snap.DeadLetters)
	}
	_, _ = fmt.Fprintln(r.app.Out)
}

// ago is how long ago something was.
func ago(now, then time.Time) string {
	if then.IsZero() {
		return "none yet"
	}
	return now.Sub(then).Round(time.Second).String() + " ago"
}
