package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

// hold is one attempt to hold a lease, from the wait for it to its release. One goroutine at a time uses it.
type hold struct {
	bucket *bucket
	log    logrus.FieldLogger
	key    string
	holder Holder
	quota  func() Quota
	ttl    time.Duration

	mark string // leaseRecord.Hold

	revision uint64 // of our record, 0 when we have none
	unclear  bool   // the last answer was lost: our record may have another revision

	guard *time.Timer // ends the work when the lease is ours no longer
}

func newHold(l *Leases, name string, holder Holder, log logrus.FieldLogger) *hold {
	return &hold{bucket: l.bucket, log: log, key: stream.Escape(name), holder: holder, quota: l.quota, ttl: l.bucket.ttl()}
}

// record is what is stored now. A new hold has a new mark, so that one mark is one hold, which never begins again after another's.
func (h *hold) record() ([]byte, error) {
	if h.revision == 0 {
		h.mark = rand.Text()
	}
	r := leaseRecord{Holder: h.holder, Hold: h.mark}
	if h.quota != nil {
		quota := h.quota()
		r.Quota = &quota
	}
	value, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the lease %s: %w", h.key, err)
	}
	return value, nil
}

// A renewal every quarter of the TTL, and after one that failed soon again. A standby asks every sixth: each second with LeaseTTL.
func (h *hold) renewEvery() time.Duration { return h.ttl / 4 }
func (h *hold) retryEvery() time.Duration { return h.ttl / 16 }
func (h *hold) askEvery() time.Duration   { return h.ttl / 6 }

// patience is how long a request may take: a server that syncs to a slow disk must be able to answer.
func (h *hold) patience() time.Duration { return h.ttl / 2 }

// own is how long the lease is ours by our own clock, counted from before the request: the server counts from when it arrived. The sixth
// that is left is for a timer that fires late.
func (h *hold) own() time.Duration { return h.ttl - h.ttl/6 }

// take tries until the lease is ours or ctx ends, and returns the context of the work and what ends it. The guard runs then.
func (h *hold) take(ctx context.Context) (context.Context, context.CancelCauseFunc, error) {
	var waiting, failing bool
	for {
		held, lose, err := h.try(ctx)
		if err == nil {
			return held, lose, nil
		}
		taken := errors.Is(err, errMismatch)
		switch {
		case final(err):
			return nil, nil, err
		case ctx.Err() != nil:
		case taken && !waiting:
			waiting = true
			h.log.WithField(logging.Holder, h.current(ctx)).Info("another process holds the lease; standing by")
		case !taken && !failing:
			h.log.WithError(err).Warn("cannot ask for the lease; trying again")
		}
		failing = !taken
		if !pause(ctx, h.askEvery()) {
			return nil, nil, context.Cause(ctx) //nolint:wrapcheck // Hold wraps it
		}
	}
}

// try asks for the lease once.
func (h *hold) try(ctx context.Context) (context.Context, context.CancelCauseFunc, error) {
	held, lose := context.WithCancelCause(ctx)
	h.guard = h.startGuard(lose)
	if err := h.beat(ctx); err != nil {
		h.guard.Stop()
		lose(nil)
		return nil, nil, err
	}
	return held, lose, nil
}

// current is who holds the lease now, as far as can be told.
func (h *hold) current(ctx context.Context) string {
	found, err := h.bucket.read(ctx, h.key)
	var r leaseRecord
	if err != nil || json.Unmarshal(found.value, &r) != nil {
		return ""
	}
	return r.Name
}

// startGuard ends the work when the lease is ours no longer. It needs no clock, and works while a request hangs.
func (h *hold) startGuard(lose context.CancelCauseFunc) *time.Timer {
	return time.AfterFunc(h.own(), func() { lose(ErrLeaseLost) })
}

// beat takes the lease, or renews it: nil when it is ours from now on, errMismatch when it is another's. The server's comparison decides;
// a read only finds what to compare with after an answer was lost.
func (h *hold) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.patience())
	defer cancel()
	if h.unclear {
		had := h.revision != 0
		if err := h.find(ctx); err != nil {
			return err
		}
		if had && h.revision == 0 {
			return errMismatch // gone: to take it again would be another hold
		}
	}
	value, err := h.record()
	if err != nil {
		return err
	}
	revision, err := h.bucket.write(ctx, h.key, value, h.revision)
	switch {
	case err == nil:
		h.revision = revision
	case errors.Is(err, errMismatch):
		h.revision = 0
	default:
		h.unclear = true
	}
	return err
}

// find looks for our record.
func (h *hold) find(ctx context.Context) error {
	found, err := h.bucket.read(ctx, h.key)
	if err != nil {
		return err
	}
	var r leaseRecord
	h.unclear, h.revision = false, 0
	if json.Unmarshal(found.value, &r) == nil && r.Hold == h.mark {
		h.revision = found.revision
	}
	return nil
}

// keep renews until ctx ends, as it does when the lease is lost.
func (h *hold) keep(ctx context.Context, lose context.CancelCauseFunc) {
	failing := false
	for wait := h.renewEvery(); pause(ctx, wait); {
		next := h.startGuard(lose)
		err := h.beat(ctx)
		if err == nil && h.guard.Stop() {
			h.guard, wait, failing = next, h.renewEvery(), false
			continue
		}
		next.Stop()
		if errors.Is(err, errMismatch) {
			h.log.Warn("the lease is another's now")
			lose(ErrLeaseLost)
			return
		}
		if err != nil && !failing && ctx.Err() == nil {
			h.log.WithError(err).Warn("cannot renew the lease; trying again while there is time")
		}
		wait, failing = h.retryEvery(), true
	}
}

// show renews our record until ctx ends. What a process that crashed left behind ends with the TTL; until then ours waits.
func (h *hold) show(ctx context.Context) {
	for wait := time.Duration(0); pause(ctx, wait); wait = h.renewEvery() {
		if err := h.beat(ctx); err != nil && ctx.Err() == nil {
			h.log.WithError(err).Debug("the holder is not shown")
		}
	}
}

// releasePatience is how long a process that ends waits for the server to take the lease back.
const releasePatience = time.Second

// release gives back what is ours, if NATS answers; else the TTL does.
func (h *hold) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releasePatience)
	defer cancel()
	var err error
	if h.unclear {
		err = h.find(ctx)
	}
	if err == nil && h.revision != 0 {
		err = h.bucket.remove(ctx, h.key, h.revision)
	}
	switch {
	case err == nil, errors.Is(err, errMismatch): // what is another's stays
	default:
		h.log.WithError(err).Warn("cannot give the lease back; it ends by itself")
	}
}
