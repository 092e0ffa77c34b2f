package stream

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go/jetstream"
)

// What stands here was found by the model, and is kept as the shortest way to it.

// The stream is full for the second attempt, and then takes the first, which was on its way all the time.
func TestACommitRefusedAfterAnAttemptWithoutAnswerIsUnclear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		p := w.opened()
		w.commit(p, 1)
		_, err := w.batch(p, late)
		w.reply(p, answer{err: err})
		w.reply(p, answer{message: w.last(p.at.filter)})
		w.reply(p, answer{err: &jetstream.APIError{Code: 503, ErrorCode: errCodeStoreFailed}})
		if !errors.Is(p.at.err, ErrUnclear) || !errors.Is(p.at.err, ErrFull) {
			t.Errorf("got %v, want ErrUnclear that wraps ErrFull", p.at.err)
		}
		w.land(0)
		if !w.has(p.journal.runID + "/1") {
			t.Error("the first attempt did not arrive")
		}
	})
}

// A limit: the fence is a sequence, and a stream that is restored from an older state hands out sequences again. A writer that sleeps
// through the restore, while another one commits as many messages as were lost, is not refused. So extractors are stopped before a
// restore, and a server must sync what it acknowledges.
func TestARestoreCanGiveAnotherCheckpointTheSameSequence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		sleeper := w.opened()
		w.store(sleeper)
		w.store(sleeper)
		w.restore(1)
		other := w.opened()
		w.store(other)
		w.commit(sleeper, 1)
		_, _ = w.batch(sleeper, arrives)
		if w.twins != 1 {
			t.Error("the sleeper is fenced: say so where this limit is told")
		}
	})
}

// opened is a new writer whose journal is open.
func (w *world) opened() *writer {
	p := w.start()
	for !p.at.idle() {
		w.reply(p, answer{message: w.last(p.at.filter)})
	}
	return p
}

// store lets a writer commit one row.
func (w *world) store(p *writer) {
	w.commit(p, 1)
	sequence, err := w.batch(p, arrives)
	w.reply(p, answer{sequence: sequence, err: err})
}

func TestTheOwnerOfASubjectIsResourceAndSource(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]string{
		"jst.record.sales-out.main.10394533.7":         "jst.record.sales-out.main",
		"jst.record.sales-out.main.10394533.7.requeue": "jst.record.sales-out.main",
		"jst.record": "jst.record",
	} {
		if got := owner(subject); got != want {
			t.Errorf("owner of %s is %s, want %s", subject, got, want)
		}
	}
}
