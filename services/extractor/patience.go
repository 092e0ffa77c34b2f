package extractor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

const (
	// minWait and maxWait bound the back-off: 1 s, 2 s, 4 s … 60 s, each with up to a quarter more at random.
	minWait = time.Second
	maxWait = time.Minute
	// triesAtStart is how often a refusal is borne before anything was ever read: the operator who just set the secret wants the answer
	// within seconds. One repeat tells a wrong setting from a moment's trouble.
	triesAtStart = 2
	// triesLater is how often a refusal is borne in a running system: about two minutes of back-off.
	triesLater = 7
)

// patience decides after a step whether to go on at once, to wait, or to give up.
type patience struct {
	log      logrus.FieldLogger
	failures *prometheus.CounterVec
	// proven says that a page was read: the settings were right once.
	proven func() bool
	// failed counts the failures since the last success, refused those of them in a row that no waiting should cure.
	failed, refused int
}

// judge returns how long to wait before the next step, or the error that ends the extractor.
func (p *patience) judge(err error) (time.Duration, error) {
	if err == nil {
		p.failed, p.refused = 0, 0
		return 0, nil
	}
	p.failed++
	if final(err) {
		return 0, err
	}
	wait := min(minWait<<min(p.failed-1, 10), maxWait)
	wait += rand.N(wait / 4) //nolint:gosec // jitter needs no secrecy
	remedy := ""
	tries := triesAtStart
	if p.proven() {
		tries = triesLater
	}
	if skewed, ok := errors.AsType[*SkewError](err); ok { // one may be an old answer of a cache
		if p.refused++; p.refused >= tries {
			return 0, skewed
		}
	}
	if refusal, ok := errors.AsType[*jushuitan.Error](err); ok {
		if refusal.Retryable() {
			p.refused = 0
		} else {
			p.refused++
		}
		remedy = refusal.Remedy()
		switch {
		case p.refused >= tries && refusal.Kind == jushuitan.TokenExpired:
			return 0, err // the keeper of the token has said what to do
		case p.refused >= tries:
			return 0, fmt.Errorf("%w; %s", err, remedy)
		case tooFast(refusal):
			wait = 0 // the client holds the next call itself
		default:
			wait = max(wait, refusal.RetryAfter)
		}
		p.failures.WithLabelValues(string(refusal.Kind)).Inc()
	} else {
		p.failures.WithLabelValues("other").Inc()
	}
	p.log.WithError(err).WithFields(logrus.Fields{logging.Wait: wait.Round(time.Millisecond).String(), logging.Remedy: remedy}).Warn("extraction waits")
	return wait, nil
}

// tooFast says that the ERP refused a call for the number of calls.
func tooFast(e *jushuitan.Error) bool {
	return e.Kind == jushuitan.RateLimitedSecond || e.Kind == jushuitan.RateLimitedMinute || e.HTTPStatus == http.StatusTooManyRequests
}

// final says that waiting cannot help: the error names its own exit code (fenced, no rights, wrong topology), or this journal takes no
// more commits and only a new start can read where it stands.
func final(err error) bool {
	return coded(err) || errors.Is(err, stream.ErrUnclear) || errors.Is(err, stream.ErrCheckpointLost)
}

// coded says that the error names its own exit code.
func coded(err error) bool {
	_, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	return ok
}
