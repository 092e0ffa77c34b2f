package sinktest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// refusedAreNamed writes batches in which the sink refuses some, and then the others once more.
func refusedAreNamed(t *testing.T, s Subject) {
	t.Helper()
	if s.Reject == nil {
		return
	}
	const size = 9
	var want []record.Record
	for i, bad := range [][]int{{0}, {4}, {size - 1}, {1, 2, 5, 8}, {0, 1, 2, 3, 4, 5, 6, 7, 8}} {
		var batch, good []record.Record
		for n := range size {
			r := version(t, i*size+n+1, 1, uint64(i*size+n+1))
			if slices.Contains(bad, n) {
				r = s.Reject(r)
			} else {
				good = append(good, r)
			}
			batch = append(batch, r)
		}
		for n, err := range outcomes(t.Context(), s.Sink, batch) {
			refused := slices.Contains(bad, n)
			if refused != (err != nil) || refused && !errors.Is(err, sink.ErrRejected) {
				t.Errorf("record %d of %d, of which %v are bad: %v", n, size, bad, err)
			}
			checkText(t, err)
		}
		want = append(want, good...)
		wantAll(t, s, want...)
		if s.Keeps == All && len(s.Read(t)) != len(want) {
			t.Errorf("%d records are kept, want %d, each once", len(s.Read(t)), len(want))
		}
		if s.Keeps == Newest {
			for part := range slices.Chunk(good, s.Sink.Batch().Records) {
				write(t, s, part...)
			}
			wantAll(t, s, want...)
		}
	}
}

// lostAnswerIsHarmless lets a write take effect without an answer, and writes it again, before and after a newer version.
func lostAnswerIsHarmless(t *testing.T, s Subject) {
	t.Helper()
	if s.LoseAnswer == nil {
		return
	}
	batch := []record.Record{version(t, 1, 1, 1), version(t, 2, 1, 2)}
	batch = batch[:min(len(batch), s.Sink.Batch().Records)]
	write(t, s, batch[0]) // the sink has what it needs for a write, e.g. a connection
	s.LoseAnswer(t)
	newer := slices.Clone(batch)
	newer[0] = version(t, 1, 2, 3)
	for i, err := range outcomes(t.Context(), s.Sink, newer) {
		if errors.Is(err, sink.ErrRejected) { // nil is what a sink returns that has written it again by itself
			t.Errorf("record %d without an answer: %v, want an error that has it written again", i, err)
		}
		checkText(t, err)
	}
	wantAll(t, s, newer...) // it did take effect
	write(t, s, newer...)
	wantAll(t, s, newer...)
	write(t, s, batch[0])
	wantAll(t, s, newer...)
}

// outageLosesNothing writes before, in and after an outage.
func outageLosesNothing(t *testing.T, s Subject) {
	t.Helper()
	if s.Down == nil {
		return
	}
	before, within := version(t, 1, 1, 1), version(t, 2, 1, 2)
	write(t, s, before)
	up := s.Down(t)
	for range 5 {
		err := s.Sink.Write(t.Context(), []record.Record{within})
		down, ok := errors.AsType[*sink.UnavailableError](err)
		switch {
		case !ok:
			t.Errorf("write in an outage: %v, want an *UnavailableError", err)
		case down.Cause == nil || len(down.Cause.Error()) < len("its disk is full"):
			t.Errorf("write in an outage: %v; its cause must tell the operator what is wrong", err)
		case down.RetryAfter < 0:
			t.Errorf("write in an outage: wait for %s", down.RetryAfter)
		}
		checkText(t, err)
	}
	up()
	persist(t, s.Sink, []record.Record{within})
	wantAll(t, s, before, within)
	write(t, s, before)
}

func endedContextIsTold(t *testing.T, s Subject) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := version(t, 1, 1, 1)
	if err := s.Sink.Write(ctx, []record.Record{r}); !errors.Is(err, context.Canceled) {
		t.Errorf("write under an ended context: %v, want an error that is context.Canceled", err)
	}
	write(t, s, r)
	wantAll(t, s, r)
}

// cutOffWriteIsHarmless ends the context of one write after the other a little later in it, from its beginning to past its end.
func cutOffWriteIsHarmless(t *testing.T, s Subject) {
	t.Helper()
	const steps = 40
	begin := time.Now()
	write(t, s, version(t, steps+1, 1, steps+1))
	whole := time.Since(begin)
	all := []record.Record{version(t, steps+1, 1, steps+1)}
	var stored []record.Record
	for i := range steps {
		r := version(t, i+1, 1, uint64(i)+1)
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(whole*time.Duration(i)/(steps*3/4), cancel)
		err := outcomes(ctx, s.Sink, []record.Record{r})[0]
		timer.Stop()
		cancel()
		switch {
		case err == nil:
			stored = append(stored, r)
		case !errors.Is(err, context.Canceled):
			t.Errorf("write that is cut off: %v, want an error that is context.Canceled", err)
		}
		checkText(t, err)
		all = append(all, r)
	}
	wantKept(t, s, stored...)
	for _, r := range all {
		write(t, s, r)
	}
	wantAll(t, s, all...)
}
