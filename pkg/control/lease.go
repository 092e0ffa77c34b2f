package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

// Holder says who holds a lease.
type Holder struct {
	// Name is host, process and run, for people.
	Name string `json:"name"`
	// Since is when the process began, or what else the holder finds worth telling.
	Since time.Time `json:"since,omitzero"`
	// Quota is what the holder told with its last renewal, so it is no older than the bucket's TTL; nil when it tells none. Hold and Show
	// set it.
	Quota *Quota `json:"quota,omitempty"`
}

// Quota is how much of the ERP's quota a holder uses.
type Quota struct {
	// Used is how many calls were sent within the last minute.
	Used int `json:"used"`
	// Allowed is how many calls a minute the ERP takes: Configured, or less since it refused calls.
	Allowed    int `json:"allowed"`
	Configured int `json:"configured"`
	// Refused counts the calls that the ERP refused for rate since the process began.
	Refused uint64 `json:"refused"`
}

// Leases are the leases of one cluster. They are safe for concurrent use.
type Leases struct {
	bucket *bucket
	log    logrus.FieldLogger
	quota  func() Quota // nil tells none
}

// OpenLeases binds to the bucket, whose own TTL is the lease's. Errors: *stream.TopologyError when the bucket is missing or forgets
// nothing, *stream.PermissionError.
func OpenLeases(ctx context.Context, conn *stream.Conn, log logrus.FieldLogger) (*Leases, error) {
	b, err := openBucket(ctx, conn, LeaseBucket, leaseStream())
	if err != nil {
		return nil, err
	}
	if b.ttl() <= 0 {
		return nil, &stream.TopologyError{Differences: []string{"bucket " + LeaseBucket + ": max_age is 0s, so that nobody follows a holder that crashed"}}
	}
	return &Leases{bucket: b, log: log}, nil
}

// WithQuota are the same leases, whose holders from here tell their quota whenever they take or renew one.
func (l *Leases) WithQuota(quota func() Quota) *Leases {
	return &Leases{bucket: l.bucket, log: l.log, quota: quota}
}

// Hold waits until the lease of a name is ours, then runs fn, and gives the lease back when fn returns, so that a standby follows within
// about a second. The context of fn ends with the cause ErrLeaseLost when the server gave the lease away, or when it was not renewed in
// time by our own clock, which is before the server can give it away.
//
// A process that was stopped (SIGSTOP, a paused machine) for longer than the lease's TTL shares the work with its follower until its timer
// or its next renewal ends the context, a quarter of the TTL after it resumed at most. Safety does not rest on the lease: the journal's
// fence refuses what such a process commits.
//
// It returns the error of fn; ErrLeaseLost when the lease was lost and fn returned nil or a context's error. While it waits it goes on
// through outages of NATS, until ctx ends, and returns *stream.PermissionError, *stream.TopologyError and *stream.ConnectError at once.
func (l *Leases) Hold(ctx context.Context, name string, holder Holder, fn func(ctx context.Context) error) error {
	log := l.log.WithField(logging.Source, name)
	h := newHold(l, name, holder, log)
	held, lose, err := h.take(ctx)
	if err != nil {
		h.release(ctx)
		return fmt.Errorf("wait for the lease of %s: %w", name, err)
	}
	log.Info("lease taken")
	renewing, stop := context.WithCancel(held)
	var group sync.WaitGroup
	group.Go(func() { h.keep(renewing, lose) })
	err = fn(held)
	stop()
	group.Wait()
	h.guard.Stop()
	lost := errors.Is(context.Cause(held), ErrLeaseLost)
	lose(nil)
	h.release(ctx)
	if lost && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return ErrLeaseLost
	}
	return err
}

// Show runs fn, and meanwhile shows the holder to whoever looks, for a process beside which there can be no other. It waits for nobody, and
// neither another's record nor trouble with NATS ends fn. It returns the error of fn.
func (l *Leases) Show(ctx context.Context, name string, holder Holder, fn func(ctx context.Context) error) error {
	h := newHold(l, name, holder, l.log.WithField(logging.Source, name))
	showing, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { h.show(showing) })
	err := fn(ctx)
	stop()
	group.Wait()
	h.release(ctx)
	return err
}

// Current is who holds the lease of a name now, for people to read; false when nobody does.
func (l *Leases) Current(ctx context.Context, name string) (Holder, bool, error) {
	found, err := l.bucket.read(ctx, stream.Escape(name))
	if err != nil || found.revision == 0 {
		return Holder{}, false, err
	}
	var r leaseRecord
	if err := json.Unmarshal(found.value, &r); err != nil {
		return Holder{}, false, fmt.Errorf("read the lease of %s: %w", name, err)
	}
	return r.Holder, true, nil
}

// All are the holders of all leases by name, for people to read.
func (l *Leases) All(ctx context.Context) (map[string]Holder, error) {
	keys, err := l.bucket.keys(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]Holder{}
	for _, key := range keys {
		name, err := stream.Unescape(key)
		if err != nil {
			continue // not a lease of ours
		}
		holder, held, err := l.Current(ctx, name)
		if err != nil {
			return nil, err
		}
		if held {
			all[name] = holder
		}
	}
	return all, nil
}

// leaseRecord is the stored form of a lease.
type leaseRecord struct {
	Holder

	// Hold is different for every call of Hold: it tells our own record from another's after an answer was lost.
	Hold string `json:"hold"`
}
