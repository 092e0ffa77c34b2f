package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
)

const (
	// readAgain is when a delivery comes again whose large row could not be fetched.
	readAgain = 5 * time.Second
	// keepAgain is when a delivery comes again whose dead letter could not be stored.
	keepAgain = 30 * time.Second
	// maxPause bounds the wait between two tries of a sink that is down: 1 s, 2 s, 4 s, 8 s, 16 s, 30 s, and 30 s from there on, unless
	// the sink asks for more.
	maxPause = 30 * time.Second
)

// worker writes the deliveries of its share of the keys, one batch at a time.
type worker struct {
	*Loader

	queue chan stream.Delivery
	// drained is closed when nothing more comes into the queue.
	drained <-chan struct{}
	// next was taken from the queue but belongs into the next batch.
	next *stream.Delivery
	// fail ends the loader's intake, with the cause.
	fail context.CancelCauseFunc
}

// run loads until nothing more comes and the queue is empty, or until work ends.
func (w *worker) run(work context.Context) {
	for work.Err() == nil {
		first, ok := w.first(work)
		if !ok {
			return
		}
		w.load(work, w.batch(work, first))
	}
}

// first waits for a delivery.
func (w *worker) first(work context.Context) (stream.Delivery, bool) {
	if w.next != nil {
		d := *w.next
		w.next = nil
		return d, true
	}
	return w.take(work, nil)
}

// take waits for a delivery until work ends, late fires, or nothing more comes.
func (w *worker) take(work context.Context, late <-chan time.Time) (stream.Delivery, bool) {
	select {
	case d := <-w.queue:
		return d, true
	case <-work.Done():
	case <-late:
	case <-w.drained:
		return w.queued()
	}
	return stream.Delivery{}, false
}

// queued is the next delivery if there is one.
func (w *worker) queued() (stream.Delivery, bool) {
	select {
	case d := <-w.queue:
		return d, true
	default:
		return stream.Delivery{}, false
	}
}

// batch adds to first what is queued, and what comes while the sink likes to wait, as much as it takes, and puts it into the stream's
// order.
func (w *worker) batch(work context.Context, first stream.Delivery) []stream.Delivery {
	batch, want := []stream.Delivery{first}, w.deps.Sink.Batch()
	late := time.NewTimer(want.Wait)
	defer late.Stop()
	for alone := w.suspects.alone(first); !alone && len(batch) < want.Records; {
		d, ok := w.queued()
		if !ok && want.Wait > 0 {
			d, ok = w.take(work, late.C)
		}
		if !ok {
			break
		}
		if w.suspects.alone(d) {
			w.next = &d
			break
		}
		batch = append(batch, d)
	}
	slices.SortStableFunc(batch, func(a, b stream.Delivery) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return batch
}

// load writes the batch and settles each delivery of it. While the sink is down it waits and writes again what is left, until work ends.
func (w *worker) load(work context.Context, batch []stream.Delivery) {
	batch = w.read(work, batch)
	for tries := 1; len(batch) > 0; tries++ {
		left, wait := w.pass(work, batch)
		if work.Err() != nil {
			return
		}
		if len(left) > 0 {
			w.outage.rest(work, max(wait, withJitter(min(minDelay<<min(tries-1, 10), maxPause))))
		}
		batch = left
	}
}

// pass writes the batch once and settles it. It returns what the sink is too unwell for, and how long the sink asked to be left alone.
func (w *worker) pass(work context.Context, batch []stream.Delivery) ([]stream.Delivery, time.Duration) {
	var (
		left    []stream.Delivery
		wait    time.Duration
		failed  error
		retried int
	)
	for i, err := range w.write(work, batch) {
		if err != nil && work.Err() != nil {
			continue // it was cut off, which says nothing about the record
		}
		v := judge(err, batch[i].Attempt, w.cfg.MaxAttempts)
		if v.action == pause {
			w.outage.begin(err)
			left, wait = append(left, batch[i]), max(wait, v.after)
			continue
		}
		w.outage.end()
		if v.action == retry {
			failed, retried = err, retried+1
		}
		w.settle(work, batch[i], v)
	}
	if retried > 0 {
		w.deps.Log.WithError(failed).WithField(logging.Records, retried).Warn("records not written; they come again")
	}
	return left, wait
}

// read decodes the batch and settles what cannot be read.
func (w *worker) read(work context.Context, batch []stream.Delivery) []stream.Delivery {
	readable := batch[:0]
	for _, d := range batch {
		var err error
		if d.Attempt > unsettledAfter*w.cfg.MaxAttempts {
			d.Err = errUnsettled
		} else if !w.deps.Sink.Batch().Unread {
			d, err = d.Read(work)
		}
		switch {
		case err != nil && work.Err() != nil: // cut off
		case err != nil:
			w.log(d).WithError(err).Warn("record not read; it comes again")
			w.settle(work, d, verdict{action: retry, after: readAgain})
		case d.Err != nil:
			w.settle(work, d, judgeUnread(d.Err, d.Attempt, w.cfg.MaxAttempts))
		default:
			readable = append(readable, d)
		}
	}
	return readable
}

// write writes the batch and returns the error of each record.
func (w *worker) write(work context.Context, batch []stream.Delivery) []error {
	errs := make([]error, len(batch))
	if len(batch) == 0 {
		return errs
	}
	records := make([]record.Record, len(batch))
	for i, d := range batch {
		records[i] = d.Record
	}
	timer := prometheus.NewTimer(w.metrics.writeSeconds)
	err := w.call(work, records)
	timer.ObserveDuration()
	w.metrics.batchRecords.Observe(float64(len(batch)))

	partly, isPartly := errors.AsType[*sink.BatchError](err)
	switch {
	case err == nil:
	case isPartly:
		for i, cause := range partly.Failed {
			if i >= 0 && i < len(errs) {
				errs[i] = cause
			}
		}
	case (errors.Is(err, sink.ErrRejected) || errors.Is(err, errPanicked)) && len(batch) > 1:
		// One of them, but which? Each alone tells.
		for i := range batch {
			errs[i] = w.write(work, batch[i:i+1])[0]
		}
	default:
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

// errPanicked means that the sink has a fault.
var errPanicked = errors.New("the sink panicked; report it with the stack in the log")

// call is Write of the sink. A sink that panics at one record must not take this loader, and then the next, away from all others. What
// it panicked with is not shown: it may quote values.
func (w *worker) call(work context.Context, records []record.Record) (err error) {
	defer func() {
		if recover() != nil {
			w.deps.Log.WithField(logging.Stack, string(debug.Stack())).Error("sink panicked")
			err = errPanicked
		}
	}()
	return w.deps.Sink.Write(work, records)
}

// settle tells the server what became of a delivery. When the server does not hear it, the delivery comes again, which the sink bears.
func (w *worker) settle(work context.Context, d stream.Delivery, v verdict) {
	defer w.held.remove(d)
	var err error
	switch v.action {
	case done:
		w.suspects.forget(d)
		w.metrics.written.Add(1)
		w.metrics.writtenTotal.Inc()
		if err = d.Ack(); err == nil {
			w.metrics.ackedTotal.Inc()
		}
	case retry:
		w.suspects.note(d)
		w.metrics.retried.Add(1)
		w.metrics.retriedTotal.Inc()
		err = d.NakWithDelay(withJitter(v.after))
	case reject:
		err = w.reject(work, d, v)
	case pause: // it stays in hand
	}
	if err != nil {
		w.log(d).WithError(err).Debug("delivery not settled; it comes again")
	}
}

// reject keeps the dead letter first and terminates only what is kept.
func (w *worker) reject(work context.Context, d stream.Delivery, v verdict) error {
	if err := w.deps.DeadLetters.KeepDelivery(work, d, v.reason, v.class); err != nil {
		if _, denied := errors.AsType[*stream.PermissionError](err); denied {
			w.fail(fmt.Errorf("keep a dead letter: %w", err))
		}
		w.log(d).WithError(err).WithField(logging.Wait, keepAgain.String()).Warn("dead letter not kept; the record comes again")
		return d.NakWithDelay(keepAgain)
	}
	w.suspects.forget(d)
	w.metrics.rejected.Add(1)
	w.metrics.rejectedTotal.WithLabelValues(v.class).Inc()
	w.log(d).WithFields(logrus.Fields{logging.Class: v.class, logging.Reason: v.reason}).Warn("record dead-lettered")
	return d.Term(v.class)
}

// log is about one delivery.
func (w *worker) log(d stream.Delivery) logrus.FieldLogger {
	return w.deps.Log.WithFields(logrus.Fields{
		logging.Sequence: d.Sequence, logging.KeyHash: fmt.Sprintf("%016x", keyHash(d)), logging.Attempt: d.Attempt,
	})
}

// withJitter adds up to a quarter, so that what failed together does not come back together.
func withJitter(d time.Duration) time.Duration {
	return d + rand.N(d/4+1) //nolint:gosec // jitter needs no secrecy
}
