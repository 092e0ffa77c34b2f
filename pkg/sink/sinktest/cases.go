package sinktest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"juliu/pkg/record"
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

func newestStays(t *testing.T, s Subject) {
	t.Helper()
	if s.Keeps != Newest {
		return
	}
	var want []record.Record
	orders := [][3]int64{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}}
	for key, order := range orders {
		for _, ts := range order {
			write(t, s, version(t, key+1, ts, uint64(ts)))
		}
		want = append(want, version(t, key+1, 3, 3))
	}
	wantAll(t, s, want...)
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

// A row may change without a new version of its own; the extractor stores that too, and the stream's order decides.
func laterPlaceReplaces(t *testing.T, s Subject) {
	t.Helper()
	early, late := version(t, 1, 5, 1), version(t, 1, 5, 9)
	write(t, s, late)
	write(t, s, early)
	write(t, s, version(t, 2, 5, 1))
	write(t, s, version(t, 2, 5, 9))
	wantAll(t, s, late, version(t, 2, 5, 9))
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

func closingTwiceIsFine(t *testing.T, s Subject) {
	t.Helper()
	write(t, s, version(t, 1, 1, 1))
	for i := range 2 {
		if err := s.Sink.Close(t.Context()); err != nil {
			t.Errorf("close number %d: %v", i+1, err)
		}
	}
}
