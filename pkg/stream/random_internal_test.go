package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// Up to four extractors of one source open, commit, pause, crash and are given up, while batches and answers are lost or late, the server
// refuses, and the stream is purged and restored. Whatever happens, the promises hold after each step.
func TestJournalsKeepThePromisesWhateverHappens(t *testing.T) {
	t.Parallel()
	seeds, steps := uint64(20), 2_500
	if long() {
		seeds, steps = 100, 10_000
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		for seed := range seeds {
			w.reset()
			w.note(nil, "begins with seed", seed)
			c := chaos{world: w, Rand: rand.New(rand.NewPCG(seed, 1))}
			for range steps {
				c.step()
			}
		}
		t.Logf("%d steps: %v", seeds*uint64(steps), w.counts)
		// A run in which something never happened proves nothing about it.
		for _, rare := range []string{
			"stored", "stored at last", "fenced", "fenced although stored", "unclear", "refused", "checkpoint lost", "late and stored", "late and refused",
		} {
			if w.counts[rare] < 10 {
				t.Errorf("%q happened %d times", rare, w.counts[rare])
			}
		}
	})
}

// chaos draws what happens next.
type chaos struct {
	*world
	*rand.Rand
}

func (c chaos) percent(n int) bool { return c.IntN(100) < n }

func (c chaos) step() {
	switch n := len(c.writers); {
	case len(c.flying) > 0 && c.percent(15):
		c.land(c.IntN(len(c.flying)))
	case n == 0, n < 4 && c.percent(3):
		c.start()
	case c.IntN(500) == 0:
		c.forget()
	default:
		c.drive(c.writers[c.IntN(n)])
	}
}

// forget is what an operator, or a server that did not sync, does to the stream.
func (c chaos) forget() {
	if c.IntN(2) == 0 {
		c.note(nil, "the stream is purged")
		c.purge()
		return
	}
	c.note(nil, "the stream is restored")
	c.restore(max(0, len(c.commits)-c.IntN(4)))
}

func (c chaos) drive(p *writer) {
	switch {
	case c.percent(1):
		c.crash(p)
	case p.at.idle() && p.closed != nil:
		if p.journal.commit > 0 {
			c.commit(p, 1) // a closed journal must not even ask
		}
		c.crash(p)
	case p.at.idle():
		c.commit(p, c.IntN(4))
	case p.at.batch != nil:
		c.reply(p, c.sent(p))
	default:
		c.reply(p, c.told(p))
	}
}

// sent is what becomes of a batch and of its answer.
func (c chaos) sent(p *writer) answer {
	if c.percent(8) {
		return answer{err: c.refusal()}
	}
	fate := arrives
	if c.percent(25) {
		fate = arrival(1 + c.IntN(2))
	}
	sequence, err := c.batch(p, fate)
	c.note(p, fmt.Sprint("has its batch, fate ", fate), err)
	if fate == arrives && c.percent(75) {
		return answer{sequence: sequence, err: err}
	}
	if c.percent(10) {
		c.note(p, "is given up")
		p.cancel()
		return answer{err: context.Canceled}
	}
	return answer{err: errDisconnected}
}

// refusal is an error of a server that stores nothing.
func (c chaos) refusal() error {
	refusals := []error{
		&jetstream.APIError{Code: 503, ErrorCode: errCodeStoreFailed},
		&jetstream.APIError{Code: 503, ErrorCode: 10008},
		&jetstream.APIError{Code: 429, ErrorCode: jetstreamext.JSErrCodeAtomicPublishTooManyInflight},
		&jetstream.APIError{Code: 400, ErrorCode: jetstreamext.JSErrCodeBatchPublishIncomplete},
		&jetstream.APIError{Code: 400, ErrorCode: jetstreamext.JSErrCodeBatchPublishExceedsLimit},
		&jetstream.APIError{Code: 400, ErrorCode: jetstreamext.JSErrCodeBatchPublishNotEnabled},
		&jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequenceConstant},
		&PermissionError{Operation: publish, Subject: "jst.record.>"},
	}
	err := refusals[c.IntN(len(refusals))]
	c.note(nil, "the server refuses", err)
	return err
}

// told is the answer to a question.
func (c chaos) told(p *writer) answer {
	switch {
	case c.percent(10):
		return answer{err: errDisconnected}
	case c.percent(1):
		return answer{err: &PermissionError{Operation: publish, Subject: apiPrefix}}
	default:
		return answer{message: c.last(p.at.filter)}
	}
}
