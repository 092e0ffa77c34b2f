package loader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

const (
	// keepers is how many dead letters are stored at once. Storing one takes a round trip and an fsync, for which no worker waits.
	keepers = 4
	// keepAgain is when a delivery comes again, at the soonest, whose dead letter could not be stored.
	keepAgain = 30 * time.Second
)

// rejection is a delivery that becomes a dead letter.
type rejection struct {
	stream.Delivery
	verdict
}

// settle tells the server what became of a delivery. When the server does not hear it, the delivery comes again, which the sink bears.
func (l *Loader) settle(d stream.Delivery, v verdict) {
	var err error
	switch v.action {
	case done:
		l.suspects.forget(d)
		l.metrics.written.Add(1)
		l.metrics.writtenTotal.Inc()
		if err = d.Ack(); err == nil {
			l.metrics.ackedTotal.Inc()
		}
	case retry:
		l.suspects.note(d)
		l.metrics.retried.Add(1)
		l.metrics.retriedTotal.Inc()
		err = d.NakWithDelay(withJitter(v.after))
	case reject:
		l.rejected <- rejection{d, v} // has room for all that is held
		return
	case pause: // it stays in hand
		return
	}
	l.settled(d, err)
}

// settled lets go of a delivery.
func (l *Loader) settled(d stream.Delivery, err error) {
	if err != nil {
		l.log(d).WithError(err).Debug("delivery not settled; it comes again")
	}
	l.outage.forget(d)
	l.held.remove(d)
}

// keepLetters stores what is rejected until there is no more. An error that no waiting cures goes to fail.
func (l *Loader) keepLetters(work context.Context, fail context.CancelCauseFunc) {
	var all sync.WaitGroup
	for range keepers {
		all.Go(func() {
			for r := range l.rejected {
				l.settled(r.Delivery, l.keep(work, r, fail))
			}
		})
	}
	all.Wait()
}

// keep stores the dead letter first and terminates only what is kept.
func (l *Loader) keep(work context.Context, r rejection, fail context.CancelCauseFunc) error {
	if err := l.deps.DeadLetters.KeepDelivery(work, r.Delivery, r.reason, r.class); err != nil {
		if _, denied := errors.AsType[*stream.PermissionError](err); denied {
			fail(fmt.Errorf("keep a dead letter: %w", err))
		}
		if work.Err() != nil {
			return err // it was cut off
		}
		l.suspects.note(r.Delivery) // it comes again for want of dead letters, not because it ended a loader
		wait := max(keepAgain, delay(r.Attempt))
		l.log(r.Delivery).WithError(err).WithField(logging.Wait, wait.String()).Warn("dead letter not kept; the record comes again")
		return r.NakWithDelay(withJitter(wait))
	}
	l.suspects.forget(r.Delivery)
	l.metrics.rejected.Add(1)
	l.metrics.rejectedTotal.WithLabelValues(r.class).Inc()
	l.log(r.Delivery).WithFields(logrus.Fields{logging.Class: r.class, logging.Reason: r.reason}).Warn("record dead-lettered")
	return r.Term(r.class)
}

// log is about one delivery.
func (l *Loader) log(d stream.Delivery) logrus.FieldLogger {
	return l.deps.Log.WithFields(logrus.Fields{
		logging.Sequence: d.Sequence, logging.KeyHash: fmt.Sprintf("%016x", keyHash(d)), logging.Attempt: d.Attempt,
	})
}

// withJitter adds up to a quarter, so that what failed together does not come back together.
func withJitter(d time.Duration) time.Duration {
	return d + rand.N(d/4+1) //nolint:gosec // jitter needs no secrecy
}
