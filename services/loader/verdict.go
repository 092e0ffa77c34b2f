package loader

import (
	"errors"
	"time"

	"juliu/pkg/sink"
	"juliu/pkg/stream"
)

// action is what becomes of a delivery.
type action int

const (
	// done: acknowledge.
	done action = iota
	// retry: ask for it again after a while; the attempt counts.
	retry
	// reject: keep a dead letter, then terminate.
	reject
	// pause: keep it in hand and write it again after a while; no attempt counts.
	pause
)

// Classes of dead letters.
const (
	// classRejected: the sink will never take it.
	classRejected = "rejected"
	// classExhausted: it failed LOADER_MAX_ATTEMPTS times.
	classExhausted = "exhausted"
	// classUndecodable: this program cannot read it.
	classUndecodable = "undecodable"
	// classUnsettled: no loader that was given it lived to say what became of it.
	classUnsettled = "unsettled"
)

const (
	// minDelay and maxDelay bound the wait before a record comes again: 1 s, 2 s, 4 s, 8 s, 16 s, 32 s, 64 s, 128 s, 256 s, 300 s, and
	// 300 s from there on; about 9 minutes over the 10 attempts of the default. Jitter adds up to a quarter.
	minDelay = time.Second
	maxDelay = 5 * time.Minute
)

// verdict is what to do with a delivery after the sink answered.
type verdict struct {
	action action
	// after is the wait of retry, without jitter, and the wait that the sink asked for of pause; 0 when it asked for none.
	after time.Duration
	// class and reason are those of reject.
	class, reason string
}

// judge decides by the sink's error for one record, and by how often the record was delivered, this time included.
func judge(err error, attempt, maxAttempts int) verdict {
	unavailable, isUnavailable := errors.AsType[*sink.UnavailableError](err)
	switch {
	case err == nil:
		return verdict{action: done}
	case isUnavailable:
		return verdict{action: pause, after: unavailable.RetryAfter}
	case errors.Is(err, sink.ErrRejected):
		return verdict{action: reject, class: classRejected, reason: err.Error()}
	case attempt >= maxAttempts:
		return verdict{action: reject, class: classExhausted, reason: err.Error()}
	default:
		return verdict{action: retry, after: delay(attempt)}
	}
}

// errUnsettled means that nobody who was given the delivery lived to say what became of it.
var errUnsettled = errors.New("delivered again and again and never settled: it may end the loader that takes it; see what the loaders said last")

// judgeUnread decides about a delivery that is not given to the sink.
func judgeUnread(err error, attempt, maxAttempts int) verdict {
	switch {
	case errors.Is(err, stream.ErrNotYet):
		return judge(err, attempt, maxAttempts)
	case errors.Is(err, errUnsettled):
		return verdict{action: reject, class: classUnsettled, reason: err.Error()}
	default:
		return verdict{action: reject, class: classUndecodable, reason: err.Error()}
	}
}

// delay is the wait after the attempt-th failure in a row, without jitter.
func delay(attempt int) time.Duration {
	return min(minDelay<<min(max(attempt, 1)-1, 20), maxDelay)
}
