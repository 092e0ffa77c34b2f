package loader_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/record"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// script hands over deliveries and then waits for the end of intake. They came from no server, so acknowledging them fails, which a
// loader bears.
type script []stream.Delivery

// AckWait is that of the live consumer.
func (script) AckWait() time.Duration { return 30 * time.Second }

// Run hands over the deliveries.
func (s script) Run(intake, _ context.Context, _ func(context.Context) int, handle func(stream.Delivery)) error {
	for _, d := range s {
		handle(d)
	}
	<-intake.Done()
	return nil
}

// letters are dead letters in memory.
type letters struct {
	err error

	mu   sync.Mutex
	kept []string
}

// KeepDelivery notes the class.
func (l *letters) KeepDelivery(_ context.Context, _ stream.Delivery, _, class string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.kept = append(l.kept, class)
	}
	return l.err
}

// count is how many deliveries are kept.
func (l *letters) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept)
}

func runScript(t *testing.T, s *recorder, l *letters, deliveries ...stream.Delivery) *running {
	t.Helper()
	return run(t, loader.Deps{
		Consumer: script(deliveries), DeadLetters: l, Sink: s, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
	}, func(c *loader.Config) { c.Workers = 1 })
}

func quiet() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// delivery is one of an order, for the attempt-th time.
func delivery(t *testing.T, key, attempt int) stream.Delivery {
	t.Helper()
	r := order(t, key, 1)
	r.Sequence = uint64(key)
	return stream.Delivery{Identity: r.Key, Record: r, Sequence: r.Sequence, Attempt: attempt}
}

func TestADeliveryThatCannotBeReadIsDeadLetteredAndTheOthersAreWritten(t *testing.T) {
	t.Parallel()
	s, l := &recorder{}, &letters{}
	r := runScript(t, s, l,
		delivery(t, 1, 1), stream.Delivery{Err: errors.New("read envelope: cut"), Sequence: 2, Attempt: 1}, delivery(t, 3, 1))
	until(t, "two are written and one is kept", func() bool { n, _ := s.count(); return n == 2 && l.count() == 1 })
	r.stop(t)
	if !slices.Equal(l.kept, []string{"undecodable"}) {
		t.Errorf("kept as %v, want undecodable", l.kept)
	}
}

func TestARowThatIsNotFoundIsTriedAgainUntilTheAttemptsAreUsedUp(t *testing.T) {
	t.Parallel()
	s, l := &recorder{}, &letters{}
	r := runScript(t, s, l,
		stream.Delivery{Err: stream.ErrNotYet, Sequence: 1, Attempt: 9}, stream.Delivery{Err: stream.ErrNotYet, Sequence: 2, Attempt: 10}, delivery(t, 3, 1))
	until(t, "one is written", func() bool { n, _ := s.count(); return n == 1 && l.count() > 0 })
	r.stop(t)
	if !slices.Equal(l.kept, []string{"exhausted"}) {
		t.Errorf("kept as %v, want the one of the last attempt as exhausted", l.kept)
	}
}

func TestWithoutTheRightToKeepDeadLettersTheLoaderEnds(t *testing.T) {
	t.Parallel()
	denied := &stream.PermissionError{Operation: "publish", Subject: "jst.dlq.>"}
	r := runScript(t, &recorder{}, &letters{err: denied}, stream.Delivery{Err: errors.New("cut"), Sequence: 1, Attempt: 1})
	if err := r.wait(t); !errors.Is(err, denied) {
		t.Errorf("run: %v, want the PermissionError", err)
	}
	if got := r.Stats().Rejected; got != 0 {
		t.Errorf("%d rejected, want 0: nothing was kept", got)
	}
}

func TestADeadLetterThatIsNotKeptIsNotCounted(t *testing.T) {
	t.Parallel()
	s := &recorder{}
	r := runScript(t, s, &letters{err: errors.New("timeout")}, stream.Delivery{Err: errors.New("cut"), Sequence: 1, Attempt: 1}, delivery(t, 2, 1))
	until(t, "the other is written", func() bool { n, _ := s.count(); return n == 1 })
	r.stop(t)
	if got := r.Stats(); got != (loader.Stats{Written: 1}) {
		t.Errorf("stats %+v, want 1 written and nothing else", got)
	}
}

func TestTheLastAttemptsAreMadeAlone(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	s := &recorder{answer: nil}
	first := true
	s.answer = func(ctx context.Context, _ []record.Record) error {
		if first {
			first = false
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		return nil
	}
	r := runScript(t, s, &letters{},
		delivery(t, 1, 1), delivery(t, 3, 2), delivery(t, 2, 1), delivery(t, 4, 8), delivery(t, 5, 9), delivery(t, 6, 1), delivery(t, 7, 1))
	until(t, "the first write has begun", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.batches) == 1 })
	close(gate)
	until(t, "all are written", func() bool { n, _ := s.count(); return n == 7 })
	r.stop(t)
	// What the first write took along depends on the moment; from there on the batches are fixed.
	var after [][]uint64
	for _, batch := range s.batches {
		if batch[0] >= 4 {
			after = append(after, batch)
		}
	}
	if len(s.faults) > 0 {
		t.Errorf("faults: %v", s.faults)
	}
	if len(after) < 3 || len(after[0]) != 1 || len(after[1]) != 1 {
		t.Errorf("batches %v, want 4 and 5 alone", s.batches)
	}
}

func TestTheConsumersErrorEndsTheLoader(t *testing.T) {
	t.Parallel()
	gone := &stream.TopologyError{Differences: []string{"consumer loader was deleted"}}
	s := &recorder{}
	r := run(t, loader.Deps{
		Consumer: broken{err: gone}, DeadLetters: &letters{}, Sink: s, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
	})
	if err := r.wait(t); !errors.Is(err, gone) {
		t.Errorf("run: %v, want the consumer's error", err)
	}
	if s.closed != 1 {
		t.Errorf("the sink was closed %d times, want once", s.closed)
	}
}

// broken is a consumer that fails.
type broken struct {
	script

	err error
}

// Run hands over what there is and fails.
func (b broken) Run(_, _ context.Context, _ func(context.Context) int, handle func(stream.Delivery)) error {
	for _, d := range b.script {
		handle(d)
	}
	return b.err
}

// What a consumer that is gone has handed out must not be acknowledged to the next one, where others have its numbers.
func TestALoaderWhoseConsumerIsGoneLetsGoAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := &stream.TopologyError{Differences: []string{"consumer loader was deleted"}}
		s := &recorder{answer: func(ctx context.Context, _ []record.Record) error { <-ctx.Done(); return ctx.Err() }}
		began := time.Now()
		r := run(t, loader.Deps{
			Consumer: broken{script{delivery(t, 1, 1), delivery(t, 2, 1)}, gone}, DeadLetters: &letters{}, Sink: s,
			Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
		})
		if err := r.wait(t); !errors.Is(err, gone) {
			t.Errorf("run: %v, want the consumer's error", err)
		}
		if took := time.Since(began); took > 0 || r.Stats() != (loader.Stats{}) {
			t.Errorf("it ended after %v, stats %+v; want at once and nothing settled", took, r.Stats())
		}
	})
}

func TestWhatIsQueuedWhenTheConsumerEndsIsWritten(t *testing.T) {
	t.Parallel()
	const handed = 64 // as many as it holds: no consumer hands over more
	var all script
	for key := range handed {
		all = append(all, delivery(t, key+1, 1))
	}
	returned, gate := make(chan struct{}), make(chan struct{})
	s := &recorder{size: 3, answer: func(context.Context, []record.Record) error { <-gate; return nil }}
	r := run(t, loader.Deps{
		Consumer: ending{all, returned}, DeadLetters: &letters{}, Sink: s, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
	})
	<-returned
	close(gate)
	if err := r.wait(t); err != nil {
		t.Errorf("run: %v", err)
	}
	if different, _ := s.count(); different != handed {
		t.Errorf("%d written, want %d", different, handed)
	}
}

// ending hands over everything and returns at once.
type ending struct {
	script

	returned chan struct{}
}

// Run hands over the deliveries.
func (e ending) Run(_, work context.Context, room func(context.Context) int, handle func(stream.Delivery)) error {
	defer close(e.returned)
	ended, end := context.WithCancel(work)
	end()
	return e.script.Run(ended, work, room, handle)
}
