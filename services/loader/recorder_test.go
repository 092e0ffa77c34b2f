package loader_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// recorder is a sink that remembers what it was given and answers as the test wants.
type recorder struct {
	// answer is asked for each write, before it is noted; nil takes everything.
	answer func(ctx context.Context, batch []record.Record) error
	// size is the batch size; 0 means 50.
	size int
	// wait is how long a batch may wait.
	wait time.Duration

	mu      sync.Mutex
	written map[uint64]int
	history map[string][]uint64
	batches [][]uint64
	writing map[string]bool
	faults  []string
	closed  int
}

// Write notes the batch when answer takes it.
func (r *recorder) Write(ctx context.Context, batch []record.Record) error {
	r.enter(batch)
	defer r.leave(batch)
	var (
		err    error
		partly *sink.BatchError
	)
	if r.answer != nil {
		err = r.answer(ctx, batch)
	}
	if err != nil && !errors.As(err, &partly) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, one := range batch {
		if partly != nil && partly.Failed[i] != nil {
			continue
		}
		r.written[one.Sequence]++
		r.history[one.Key] = append(r.history[one.Key], one.Sequence)
	}
	return err
}

// enter checks that the loader keeps to the contract.
func (r *recorder) enter(batch []record.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.written == nil {
		r.written, r.history, r.writing = map[uint64]int{}, map[string][]uint64{}, map[string]bool{}
	}
	if len(batch) == 0 || len(batch) > r.Batch().Records {
		r.faults = append(r.faults, fmt.Sprintf("a batch of %d records", len(batch)))
	}
	if r.closed > 0 {
		r.faults = append(r.faults, "a write after Close")
	}
	sequences := make([]uint64, len(batch))
	mine := map[string]bool{}
	for i, one := range batch {
		sequences[i] = one.Sequence
		if r.writing[one.Key] && !mine[one.Key] {
			r.faults = append(r.faults, "two writes of one key at once")
		}
		mine[one.Key], r.writing[one.Key] = true, true
	}
	if !slices.IsSorted(sequences) {
		r.faults = append(r.faults, "a batch that is not in the stream's order")
	}
	r.batches = append(r.batches, sequences)
}

func (r *recorder) leave(batch []record.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range batch {
		delete(r.writing, one.Key)
	}
}

// Batch is size, and wait.
func (r *recorder) Batch() sink.Batch { return sink.Batch{Records: cmp.Or(r.size, 50), Wait: r.wait} }

// Close counts.
func (r *recorder) Close(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed++
	return nil
}

// count is how many different records were written, and how many writes of a record there were.
func (r *recorder) count() (int, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := 0
	for _, n := range r.written {
		all += n
	}
	return len(r.written), all
}
