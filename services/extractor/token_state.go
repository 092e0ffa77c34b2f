package extractor

import (
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
)

const (
	// maxLead is how long before its end a token is refreshed at the earliest; some say that the vendor takes a refresh in the last week alone.
	maxLead = 6 * 24 * time.Hour
	// minRest is the least wait after a refresh that did not help, however near the end is.
	minRest = time.Minute
	// freshSpan is how long after a refresh the vendor may still not know the new token everywhere; freshWait is the wait until the next try.
	freshSpan, freshWait = time.Minute, 5 * time.Second
)

// tokenState is a token and what is known about its renewal.
type tokenState struct {
	// token is in use; its Claim is nil.
	token control.Token
	// generation counts the tokens and terms that were taken into use.
	generation uint64
	// notBefore is when to look after the token again at the earliest.
	notBefore time.Time
	// refusal is why the ERP will not refresh this token whatever we do; nil if it may.
	refusal error
	// unsaved is what token was refreshed from, while the store does not hold token yet; else nil.
	unsaved *control.Token
}

// due is when the token is to be refreshed: before its end, or at once to learn when that is.
func (s tokenState) due(now time.Time) time.Time {
	due := now
	if s.unsaved != nil {
		return due
	}
	if !s.token.Expires.IsZero() {
		lead := maxLead
		if s.token.Term > 0 {
			lead = min(lead, s.token.Term/3)
		}
		due = s.token.Expires.Add(-lead)
	}
	if s.notBefore.After(due) {
		due = s.notBefore
	}
	return due
}

// fresh says that the token was refreshed just now, so that a call which finds it dead proves nothing yet.
func (s tokenState) fresh(now time.Time) bool {
	return !s.token.Expires.IsZero() && now.Sub(s.token.Expires.Add(-s.token.Term)) < min(freshSpan, s.token.Term/10)
}

// later is now and a wait, shortened as the end comes near.
func (s tokenState) later(now time.Time, wait time.Duration) time.Time {
	if !s.token.Expires.IsZero() {
		wait = max(min(wait, s.token.Expires.Sub(now)/2), minRest)
	}
	return now.Add(wait)
}

func (k *keeper) look() tokenState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// use takes a token that is stored.
func (k *keeper) use(token control.Token) {
	token.Claim = nil
	k.client.Adopt(jushuitan.Token{Access: token.Access, Refresh: token.Refresh})
	k.set(func(s *tokenState) { *s = tokenState{token: token, generation: s.generation + 1} })
}

func (k *keeper) set(change func(*tokenState)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.state)
	k.metrics.expires.Store(unixOf(k.state.token.Expires))
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// same compares all but claim and term.
func same(a, b control.Token) bool {
	return a.Access == b.Access && a.Refresh == b.Refresh && a.Expires.Equal(b.Expires) && a.Origin == b.Origin
}
