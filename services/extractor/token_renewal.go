package extractor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
)

const (
	// claimSpan is how long a claim holds others back. The claim and the call together are given up after callSpan, well before.
	claimSpan, callSpan = time.Minute, 40 * time.Second
	// storePause is the wait between two looks at the store.
	storePause = time.Second
	// longestNap bounds the sleep until the next refresh, so that a clock that was set or a machine that slept does not miss it.
	longestNap = time.Hour
)

// When a renewal ahead of time is tried again.
const (
	afterTrouble  = 5 * time.Minute
	afterNoGrowth = time.Hour // the answer may have come from a cache
	afterEarly    = 6 * time.Hour
	afterUnknown  = 24 * time.Hour // the term is not known, so neither is when the vendor takes a refresh
	afterRefusal  = 24 * time.Hour
)

// errUnproven means that the record cannot be opened, and that it is not yet known whether that is our secret's fault.
var errUnproven = errors.New("wait for the ERP's first answer: the stored token was sealed with another app secret, and ours may be the wrong one")

// run refreshes the token in time until ctx ends. A refresh that has begun is finished first, within twice Grace. A failure is logged and
// tried again; it fails no order call while the token lives.
func (k *keeper) run(ctx context.Context) {
	for k.able && ctx.Err() == nil {
		s := k.look()
		now := k.now()
		if due := s.due(now); due.After(now) {
			pause(ctx, min(due.Sub(now), longestNap))
			continue
		}
		if err := k.renew(ctx, s.generation, false); err != nil && ctx.Err() == nil {
			k.postpone(err)
		}
	}
}

// renew replaces the token of this generation: by the stored one if another process has refreshed it, else by a refresh. dead says that a call
// found it dead, else it is only due. After a nil error there is another token, or another term, to go on with. Callers wait for each other.
func (k *keeper) renew(ctx context.Context, generation uint64, dead bool) error {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the refresh of the access token: %w", ctx.Err())
	}
	if k.look().unsaved != nil {
		if err := k.settle(ctx, 0); err != nil || !dead {
			return err
		}
	}
	var others claimWatch
	for {
		s := k.look()
		if s.generation != generation {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the refresh of the access token: %w", ctx.Err())
		}
		stored, revision, err := k.load(ctx, dead)
		switch {
		case err != nil:
			return err
		case !stored.Access.IsZero() && !same(stored, s.token):
			k.use(stored)
		case dead && s.refusal != nil:
			return s.refusal
		case others.hold(stored.Claim, k.holder, k.now()):
			pause(ctx, storePause)
		default:
			if err := k.refresh(ctx, revision); !errors.Is(err, control.ErrConflict) {
				return err
			}
		}
	}
}

// load is the stored token; zero when there is none, or none that our app secret opens.
func (k *keeper) load(ctx context.Context, dead bool) (control.Token, uint64, error) {
	stored, revision, err := k.store.Load(ctx, k.source)
	switch {
	case err == nil:
		return stored, revision, nil
	case !errors.Is(err, control.ErrSealed):
		return control.Token{}, 0, fmt.Errorf("load the stored token: %w", err)
	case !dead && !k.proven.Load():
		return control.Token{}, 0, errUnproven
	default:
		return control.Token{}, revision, nil
	}
}

// claimWatch tells how long a claim has been seen.
type claimWatch struct {
	claim control.Claim
	since time.Time
}

// hold reports that another process refreshes. The claim's age counts by our clock from when we first saw it, because two clocks may be
// apart; only a claim that is older than any two clocks that the extractor suffers can be is not waited for.
func (w *claimWatch) hold(claim *control.Claim, holder string, now time.Time) bool {
	if claim == nil || claim.Holder == holder || now.Sub(claim.At) >= claimSpan+2*maxSkew {
		return false
	}
	if w.since.IsZero() || w.claim.Holder != claim.Holder || !w.claim.At.Equal(claim.At) {
		w.claim, w.since = *claim, now
	}
	return now.Sub(w.since) < claimSpan
}

// refresh claims, calls, and stores the answer. It is control.ErrConflict when somebody else was first.
func (k *keeper) refresh(ctx context.Context, revision uint64) error {
	act, cancel := outlive(ctx, callSpan)
	defer cancel()
	before := k.look().token
	asked := k.now().UTC()
	claimed := before
	claimed.Claim = &control.Claim{Holder: k.holder, At: asked}
	revision, err := k.store.Save(act, k.source, claimed, revision)
	if err != nil {
		return fmt.Errorf("claim the refresh of the access token: %w", err)
	}
	answer, err := k.client.RefreshToken(act)
	k.metrics.refreshed(err)
	if err != nil {
		k.release(ctx, before, revision)
		if hopeless(err) {
			k.set(func(s *tokenState) { s.refusal = err })
		}
		return err
	}
	k.accept(before, answer, asked)
	if err := k.settle(ctx, revision); err != nil {
		k.log.WithError(err).WithField(logging.Remedy, "keep this process running until NATS answers: the new token is nowhere else").
			Warn("the refreshed access token is not stored yet")
	}
	return nil
}

// hopeless says that no repetition of the refresh can work.
func hopeless(err error) bool {
	kind := kindOf(err)
	return kind == jushuitan.TokenExpired || kind == jushuitan.RefreshForbidden
}

// early says that the ERP may have meant "not yet". No document names the code of that.
func early(err error) bool {
	kind := kindOf(err)
	return kind == jushuitan.BadParameter || kind == jushuitan.Unknown
}

// release takes the claim back. Where that fails, the claim ends by itself.
func (k *keeper) release(ctx context.Context, before control.Token, revision uint64) {
	act, cancel := outlive(ctx, Grace)
	defer cancel()
	_, _ = k.store.Save(act, k.source, before, revision)
}

// accept uses the answered token. Its term is the whole one only where it has grown: an answer from a cache names what was left before.
func (k *keeper) accept(before control.Token, answer jushuitan.Token, asked time.Time) {
	next := tokenState{token: control.Token{Access: answer.Access, Refresh: answer.Refresh, Term: before.Term, Origin: before.Origin, Former: before.Former}, unsaved: &before}
	if answer.ExpiresIn <= 0 {
		next.notBefore = asked.Add(afterUnknown)
	} else {
		next.token.Expires = asked.Add(answer.ExpiresIn).Truncate(time.Second)
		grown := before.Expires.IsZero() || next.token.Expires.Sub(before.Expires) > min(time.Minute, answer.ExpiresIn/10)
		if grown {
			next.token.Term = answer.ExpiresIn
		} else {
			next.notBefore = next.later(asked, afterNoGrowth)
		}
	}
	k.set(func(s *tokenState) {
		next.generation = s.generation + 1
		*s = next
	})
	k.log.WithFields(expiryFields(next.token)).Info("access token refreshed")
}

// settle stores the token in use, unless somebody has stored another one than it came from: that one is newer. After an error the
// token is still unsaved.
func (k *keeper) settle(ctx context.Context, revision uint64) error {
	act, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	for {
		s := k.look()
		_, err := k.store.Save(act, k.source, s.token, revision)
		if err == nil {
			k.set(func(s *tokenState) { s.unsaved = nil })
			return nil
		}
		stored, at, loadErr := k.load(act, true)
		if loadErr == nil {
			revision = at
			if !stored.Access.IsZero() && !same(stored, *s.unsaved) {
				k.use(stored)
				return nil
			}
		}
		if pause(act, storePause); act.Err() != nil {
			return fmt.Errorf("store the refreshed token: %w", err)
		}
	}
}

// postpone logs why the token could not be renewed ahead of time, and plans the next try.
func (k *keeper) postpone(err error) {
	now, s := k.now(), k.look()
	log := k.log.WithError(err).WithFields(expiryFields(s.token))
	next := s.later(now, afterTrouble)
	switch {
	case errors.Is(err, errUnproven):
		next = now.Add(minRest)
		log.Debug("the access token is not looked after yet")
	case hopeless(err):
		next = now.Add(afterRefusal)
		log.WithField(logging.Remedy, "before the access token expires, "+k.remedy()).Warn("the access token cannot be refreshed")
	case early(err) && s.token.Expires.IsZero():
		next = now.Add(afterUnknown)
		log.Info("the ERP does not refresh the access token yet, so it is not known when it expires")
	case early(err):
		next = s.later(now, afterEarly)
		log.WithField(logging.Remedy, "if it lasts, "+k.remedy()).Warn("the ERP does not refresh the access token yet, trying again")
	default:
		remedy := "nothing unless it lasts"
		if refusal, ok := errors.AsType[*jushuitan.Error](err); ok {
			remedy = refusal.Remedy()
		}
		log.WithField(logging.Remedy, remedy).Warn("the access token could not be refreshed, trying again")
	}
	k.set(func(s *tokenState) { s.notBefore = next })
}

func expiryFields(t control.Token) logrus.Fields {
	if t.Expires.IsZero() {
		return logrus.Fields{logging.Expires: "unknown"}
	}
	return logrus.Fields{logging.Expires: t.Expires.Format(time.RFC3339)}
}

// outlive is a context for an act that must not be cut in the middle, since an answer thrown away may be a token lost: it ends after limit,
// and at most Grace after ctx.
func outlive(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	act, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		pause(act, Grace)
		cancel()
	})
	return act, func() {
		stop()
		cancel()
	}
}
