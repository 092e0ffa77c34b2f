package sinktest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

func batchIsStored(t *testing.T, s Subject) {
	t.Helper()
	batch := []record.Record{version(t, 1, 5, 1), version(t, 2, 6, 2)}
	write(t, s, batch[:min(len(batch), s.Sink.Batch().Records)]...)
	if s.Sink.Batch().Records == 1 {
		write(t, s, batch[1])
	}
	wantAll(t, s, batch...)
}

func fullBatchIsStored(t *testing.T, s Subject) {
	t.Helper()
	size := s.Sink.Batch().Records
	if size < 1 {
		t.Fatalf("batch size %d, want at least 1", size)
	}
	batch := make([]record.Record, size)
	for i := range batch {
		batch[i] = version(t, i+1, 1, uint64(i)+1)
	}
	write(t, s, batch...)
	wantAll(t, s, batch...)
}

func repetitionChangesNothing(t *testing.T, s Subject) {
	t.Helper()
	r := version(t, 1, 5, 1)
	write(t, s, r)
	write(t, s, r)
	wantAll(t, s, r)
}

func lastOfBatchStays(t *testing.T, s Subject) {
	t.Helper()
	batch := []record.Record{version(t, 1, 1, 1), version(t, 2, 1, 2), version(t, 1, 2, 3)}
	for part := range slices.Chunk(batch, s.Sink.Batch().Records) {
		write(t, s, part...)
	}
	if s.Keeps == Newest {
		batch = batch[1:]
	}
	wantAll(t, s, batch...)
}

// What a forced write replaces must differ, or nothing shows that it did.
func forcedWriteReplaces(t *testing.T, s Subject) {
	t.Helper()
	forcer, ok := s.Sink.(sink.Forcer)
	if !ok {
		return // it does not compare, so it need not be forced
	}
	was, now := version(t, 1, 5, 7, `,"remark":"was"`), version(t, 1, 5, 7, `,"remark":"now"`)
	write(t, s, was)
	write(t, s, now)
	wantAll(t, s, was)
	for _, one := range []record.Record{now, version(t, 1, 4, 9), version(t, 1, 5, 6)} { // the older ones change nothing
		if err := forcer.Force(t.Context(), []record.Record{one}); err != nil {
			t.Fatalf("force: %v", err)
		}
		wantAll(t, s, now)
	}
	newer := version(t, 1, 6, 10)
	if err := forcer.Force(t.Context(), []record.Record{newer, version(t, 2, 1, 11)}); err != nil {
		t.Fatalf("force: %v", err)
	}
	wantAll(t, s, newer, version(t, 2, 1, 11))
}

func writersAreIndependent(t *testing.T, s Subject) {
	t.Helper()
	const writers, versions = 8, 25
	var (
		all   sync.WaitGroup
		want  []record.Record
		fails = make(chan error, writers*versions)
	)
	for key := range writers {
		history := make([]record.Record, versions)
		for i := range history {
			history[i] = version(t, key+1, int64(i)+1, uint64(i*writers+key)+1)
		}
		want = append(want, history[versions-1])
		all.Go(func() {
			for _, r := range history {
				fails <- s.Sink.Write(t.Context(), []record.Record{r})
			}
		})
	}
	all.Wait()
	close(fails)
	for err := range fails {
		if err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	wantAll(t, s, want...)
}

func largeRecordIsStored(t *testing.T, s Subject) {
	t.Helper()
	large := version(t, 1, 1, 1, `,"remark":"`+strings.Repeat("大", 1<<20)+`"`)
	write(t, s, large)
	wantAll(t, s, large)
}

func awkwardTextIsStored(t *testing.T, s Subject) {
	t.Helper()
	r := version(t, 1, 1, 1, `,"pay_amount":"12.5000","remark":"张三 \"引号\" \\ \n\t\u0001 <b>&'; DROP TABLE orders;--\u2028 😀"`)
	write(t, s, r)
	wantAll(t, s, r)
}

func closingTwiceIsFine(t *testing.T, s Subject) {
	t.Helper()
	write(t, s, version(t, 1, 1, 1))
	for i := range 2 {
		if err := s.Sink.Close(t.Context()); err != nil {
			t.Errorf("close number %d: %v", i+1, err)
		}
	}
}

func closedTakesNothing(t *testing.T, s Subject) {
	t.Helper()
	r := version(t, 1, 1, 1)
	write(t, s, r)
	if err := s.Sink.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := s.Sink.Write(t.Context(), []record.Record{version(t, 2, 1, 2)}); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("write after close: %v, want ErrClosed", err)
	}
	if s.Keeps == Nothing {
		return
	}
	if kept := s.Read(t); len(kept) != 1 {
		t.Errorf("%d records are kept, want the one that was written before", len(kept))
	}
}
