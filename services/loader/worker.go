package loader

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/logging"
	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
)

const (
	// readAgain is when a delivery comes again, at the soonest, whose large row could not be fetched.
	readAgain = 5 * time.Second
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

// load writes the batch and settles each delivery of it. While the sink is down it waits and writes again what is left, until work ends.
func (w *worker) load(work context.Context, batch []stream.Delivery) {
	batch = w.read(work, batch)
	for tries := 1; len(batch) > 0; tries++ {
		left, wait := w.pass(work, batch)
		if work.Err() != nil {
			return
		}
		if len(left) > 0 {
			w.outage.rest(work, max(wait, minDelay), max(wait, withJitter(min(minDelay<<min(tries-1, 10), maxPause))))
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
	number := w.outage.enter()
	for i, err := range w.write(work, batch) {
		if err != nil && work.Err() != nil {
			continue // it was cut off, which says nothing about the record
		}
		v := judge(err, batch[i].Attempt, w.cfg.MaxAttempts)
		switch {
		case v.action != pause:
			w.outage.end(number)
		case !w.outage.refuse(batch[i]):
			w.outage.begin(err)
			left, wait = append(left, batch[i]), max(wait, v.after)
			continue
		default: // it takes others: it is the record that fails
			asked := v.after
			err = errors.New(err.Error() + "; but it takes others")
			v = judge(err, batch[i].Attempt, w.cfg.MaxAttempts)
			v.after = max(v.after, asked)
		}
		if v.action == retry {
			failed, retried = err, retried+1
		}
		w.settle(batch[i], v)
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
		if d.Attempt > max(unsettledAfter*w.cfg.MaxAttempts, leastUnsettled) && !w.suspects.lived(d) {
			d.Err = errUnsettled
		} else if !w.deps.Sink.Batch().Unread {
			d, err = d.Read(work)
		}
		switch {
		case err != nil && work.Err() != nil: // cut off
		case err != nil:
			w.log(d).WithError(err).Warn("record not read; it comes again")
			w.settle(d, verdict{action: retry, after: max(readAgain, delay(d.Attempt))})
		case d.Err != nil:
			w.settle(d, judgeUnread(d.Err, d.Attempt, w.cfg.MaxAttempts))
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
	case isPartly && names(partly, len(batch)):
		for i, cause := range partly.Failed {
			errs[i] = cause
		}
	case isPartly:
		for i := range errs {
			errs[i] = errMisnamed
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

// errMisnamed means that the sink failed at some of a batch and does not say at which: none may be taken for stored.
var errMisnamed = errors.New("the sink names a failed record that is none of the batch, or no cause; report it")

// names reports whether a BatchError tells which of n records failed, and why.
func names(partly *sink.BatchError, n int) bool {
	if partly == nil || len(partly.Failed) == 0 {
		return false
	}
	for i, cause := range partly.Failed {
		if i < 0 || i >= n || cause == nil {
			return false
		}
	}
	return true
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
