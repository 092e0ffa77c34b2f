// Package sink is the contract of the places where records end up, and the sinks that need nothing but the standard library.
//
// A sink of its own is one folder beside this file that passes sinktest, and one row in services/loader/sinks.go.
package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"juliu/pkg/record"
)

// Sink writes records. The loader calls Write from several goroutines at once, but never two at once for one key; a replay that runs beside
// the live flow is like another loader.
type Sink interface {
	// Write stores the batch; nil means every record of it is stored as durably as the sink can. The batch is never empty, is at most
	// Batch().Records long, and may hold several versions of one key, oldest first. Write is idempotent by key and Version (then Sequence):
	// an equal version changes nothing and an older one never replaces a newer one, where the sink can compare.
	//
	// An error tells the loader what to do: ErrRejected for records that can never be stored, *UnavailableError for a sink that is
	// down, *BatchError when some of the batch failed and the others are stored; any other error means none may be stored and all
	// are tried again. ErrRejected for a batch of several means at least one of them, and none is stored: each is then written alone.
	// When ctx ends, the error is that of ctx, unless the batch is stored. After Close it is ErrClosed.
	Write(ctx context.Context, batch []record.Record) error
	// Batch is what Write likes to be given at once. It does not change.
	Batch() Batch
	// Close releases the sink after the last Write. It may be called more than once.
	Close(ctx context.Context) error
}

// Forcer is a Sink that compares versions, and can be made to write an equal one.
type Forcer interface {
	Sink

	// Force is Write, but a version that equals the stored one is written over it; an older one still never replaces a newer one.
	Force(ctx context.Context, batch []record.Record) error
}

// Batch is how much a sink likes to be given at once, and how long that may take to come together.
type Batch struct {
	// Records is the most that Write takes, at least 1.
	Records int
	// Wait is how long the first record of a batch may wait for others. 0 means not at all: a batch is then what came while the sink was
	// busy with the one before.
	Wait time.Duration
	// Unread says that Write does not look at the records: they come empty, which spares decoding them.
	Unread bool
}

// ErrRejected means that the sink will never take this record: the loader dead-letters it. Wrap it with the reason, without values.
var ErrRejected = errors.New("rejected by the sink")

// ErrClosed means that the sink was closed; nothing is written any more.
var ErrClosed = errors.New("sink closed")

// UnavailableError means that the sink as a whole cannot take records now: the loader stops and tries again after the wait,
// without counting an attempt.
type UnavailableError struct {
	// Cause is why, in words for the operator.
	Cause error
	// RetryAfter is how long the sink asked to be left alone; 0 leaves it to the loader.
	RetryAfter time.Duration
}

// Error says that the sink is unavailable and why.
func (e *UnavailableError) Error() string { return fmt.Sprintf("sink unavailable: %v", e.Cause) }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Cause }

// BatchError names the records of a batch that failed; the others are stored.
type BatchError struct {
	// Failed maps the index in the batch to its error, which is read as an error of Write for that record alone.
	Failed map[int]error
}

// Error says how many failed.
func (e *BatchError) Error() string {
	return fmt.Sprintf("%d records of the batch failed", len(e.Failed))
}
