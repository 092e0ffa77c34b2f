package stream

import (
	"errors"
	"fmt"
	"strings"
)

// ErrFenced means that another extractor with the same source has committed since this one read the checkpoint. Nothing of the refused
// commit is stored, unless its answer was lost and the other one has built upon it. Exit; never commit again with a newer checkpoint,
// which would store what the other one has stored already.
var ErrFenced error = fencedError{}

type fencedError struct{}

// Error says what happened and what to do.
func (fencedError) Error() string {
	return "fenced: another extractor with the same source writes to this stream; stop one of them or give it another EXTRACTOR_SOURCE"
}

// ExitCode is 3, fenced.
func (fencedError) ExitCode() int { return 3 }

// ErrFull means that the stream has reached its size limit and refuses more rather than delete records that nobody has loaded. Nothing
// of the refused commit is stored; the same commit may be tried again.
var ErrFull = errors.New("stream full: raise STREAM_MAX_BYTES or shorten STREAM_MAX_AGE and run juliu provision, or free disk space on the NATS server")

// ErrCheckpointLost means that the checkpoint vanished while this process held it: the stream was purged, recreated or restored from an
// older state. Nothing of the refused commit is stored. Start again, so that the position is decided anew.
var ErrCheckpointLost = errors.New("checkpoint lost: the stream was purged, recreated or restored under a running extractor; start the extractor again")

// ErrOrphaned means that the stream holds records of a source but no checkpoint, which are always stored together: the checkpoint was
// deleted, or the stream was restored without it. Where the source was is not known.
var ErrOrphaned error = orphanedError{}

type orphanedError struct{}

// Error says what happened and what to do.
func (orphanedError) Error() string {
	return "the stream holds records of this source but no checkpoint, so starting at EXTRACTOR_START could leave a gap; " +
		"restore the stream, or read again from a safe time under another EXTRACTOR_SOURCE"
}

// ExitCode is 2, bad configuration.
func (orphanedError) ExitCode() int { return 2 }

// CheckpointError means that what stands last where the checkpoint belongs is none. Who may publish nowhere else can still have a server's
// answer written there, by asking for it in that place: NATS checks no right to a reply subject (nats-server 2.14).
type CheckpointError struct {
	Subject  string
	Sequence uint64
}

// Error says where it stands and how to go on: the checkpoint before it is still stored, because only a checkpoint replaces one.
func (e *CheckpointError) Error() string {
	return fmt.Sprintf("read the checkpoint: message %d on %s is none that this juliu can read; unless a newer juliu wrote it, delete it "+
		"(nats stream rmm %s %[1]d) and start again, and find out who published it", e.Sequence, e.Subject, Stream)
}

// ExitCode is 2, bad configuration.
func (*CheckpointError) ExitCode() int { return 2 }

// ErrUnclear means that Commit was given up before the server's answer was known: its context ended, or after an attempt without an
// answer the next one was refused, which the error then wraps too. The records may be stored now, later or never. Open the journal and
// the known rows again before the next commit.
var ErrUnclear = errors.New("commit unclear: given up before the answer was known; open the journal again")

// ErrTooLarge means that a row is larger than MaxPayload and cannot be read back safely.
var ErrTooLarge = errors.New("row too large")

// ErrNotYet means that the object of a large row was not found. The replica that was asked may lag, so the delivery is worth more
// attempts; when they are used up the object is gone.
var ErrNotYet = errors.New("object not found")

// errDisconnected ends the calls that wait for an answer when the connection breaks, and is the answer to calls while there is none.
var errDisconnected = errors.New("connection to NATS lost")

// PermissionError means that the NATS user may not do what juliu needs. Waiting does not help.
type PermissionError struct {
	// Operation is "publish" or "subscribe".
	Operation string
	// Subject is the subject that was refused.
	Subject string
}

// Error names the right that is missing.
func (e *PermissionError) Error() string {
	return fmt.Sprintf("permission denied: this NATS user may not %s to %q; grant it on the server", e.Operation, e.Subject)
}

// ExitCode is 2, bad configuration.
func (e *PermissionError) ExitCode() int { return 2 }

// TopologyError means that streams, consumer or bucket are missing or differ from what the promises rest on.
type TopologyError struct {
	// Differences says what is missing or differs, one thing each.
	Differences []string
}

// Error lists the differences and says what to do.
func (e *TopologyError) Error() string {
	return fmt.Sprintf("JetStream is not set up as juliu needs it: %s; run juliu provision", strings.Join(e.Differences, "; "))
}

// ExitCode is 2, bad configuration.
func (e *TopologyError) ExitCode() int { return 2 }

// ConnectError means that there is no connection to NATS.
type ConnectError struct {
	// Server is the servers' URLs without credentials.
	Server string
	// Cause is what went wrong last.
	Cause error
	// Remedy is what the operator does next.
	Remedy string
	// Code is the exit code: 2 when the configuration is wrong, 1 when the server cannot be reached.
	Code int
}

// Error names server, cause and remedy.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to NATS at %s: %v; %s", e.Server, e.Cause, e.Remedy)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Cause }

// ExitCode is Code.
func (e *ConnectError) ExitCode() int { return e.Code }
