package juliu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"juliu/pkg/stream"
	"juliu/services/extractor"
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

// every is one second on a terminal; elsewhere (a log file) ten.
func (r *report) every() time.Duration {
	if file, ok := r.app.Out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return time.Second
	}
	return 10 * time.Second
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

// ErrNotProven means that the stream differs from the sandbox's ledger.
var ErrNotProven = errors.New("the stream differs from what the ERP showed")

// prove lets the sandbox come to rest, waits until everything is read and loaded, and compares. Without a sandbox it does nothing.
func (r *report) prove(ctx context.Context, cfg extractor.Config) error {
	if r.stack.Sandbox == nil {
		return nil
	}
	r.stack.Sandbox.Settle()
	rest := r.app.Now()
	ctx, cancel := context.WithTimeout(ctx, cfg.Settle+cfg.Overlap+2*time.Minute)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		snap, err := stream.TakeSnapshot(ctx, r.stack.Conn)
		stats := r.stack.Extractor.Stats()
		if err == nil && snap.Lag() == 0 && stats.Cursor.After(rest) && stats.LookedBack.After(rest) {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until all is read: %w", ctx.Err())
		case <-ticker.C:
		}
	}
	proof, err := Prove(ctx, r.stack.Conn, r.source, r.stack.Sandbox.Ledger())
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(r.app.Out, "proof:", proof)
	if !proof.OK() {
		return ErrNotProven
	}
	return nil
}

// ago is how long ago something was.
func ago(now, then time.Time) string {
	if then.IsZero() {
		return "none yet"
	}
	return now.Sub(then).Round(time.Second).String() + " ago"
}
