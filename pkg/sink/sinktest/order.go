package sinktest

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// versions is how many versions of a key come in every order: 120.
const versions = 5

// kind is a kind of version: the n-th, 1 to versions, of a key. A higher n is newer.
type kind func(t *testing.T, key, n int) record.Record

// The three ways in which one version is newer than another.
var (
	byTS kind = func(t *testing.T, key, n int) record.Record {
		t.Helper()
		return version(t, key, int64(n), place(key, versions+1-n)) // the stream's order must not matter
	}
	byTime kind = func(t *testing.T, key, n int) record.Record {
		t.Helper()
		return untimed(t, key, n, place(key, versions+1-n))
	}
	// A row may change without a new version of its own; the extractor stores that too, and the stream's order decides.
	byPlace kind = func(t *testing.T, key, n int) record.Record {
		t.Helper()
		return version(t, key, 7, place(key, n))
	}
)

// place is a place on the stream for each version of each key.
func place(key, n int) uint64 { return uint64(key*(versions+1) + n) }

// endTheSame writes the versions of one key for each order that they can come in, two of them twice, in batches cut at random.
func (k kind) endTheSame(t *testing.T, s Subject) {
	t.Helper()
	var (
		dice    = rand.New(rand.NewPCG(1, 2)) // the same batches in every run
		rounds  [][]record.Record
		want    []record.Record
		entries int
	)
	for i, order := range permutations(versions) {
		key := i + 1
		for range 2 {
			order = slices.Insert(order, dice.IntN(len(order)+1), 1+dice.IntN(versions))
		}
		for round := 0; len(order) > 0; round++ {
			cut := 1 + dice.IntN(len(order))
			if round == len(rounds) {
				rounds = append(rounds, nil)
			}
			for _, n := range order[:cut] {
				rounds[round] = append(rounds[round], k(t, key, n))
			}
			order, entries = order[cut:], entries+cut
		}
		if s.Keeps == All {
			for n := range versions - 1 {
				want = append(want, k(t, key, n+1))
			}
		}
		want = append(want, k(t, key, versions))
	}
	for _, batch := range rounds {
		slices.SortStableFunc(batch, func(a, b record.Record) int { return cmp.Compare(a.Sequence, b.Sequence) }) // as the loader does
		for part := range slices.Chunk(batch, s.Sink.Batch().Records) {
			write(t, s, part...)
		}
	}
	wantAll(t, s, want...)
	if s.Keeps == All && len(s.Read(t)) != entries {
		t.Errorf("%d records are kept, want all %d", len(s.Read(t)), entries)
	}
}

// permutations are all orders of 1 to n.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n))
		}
	}
	return all
}

// loadersAgree lets two loaders write every version of the same keys, each in an order of its own.
func loadersAgree(t *testing.T, s Subject) {
	t.Helper()
	if s.Second == nil {
		return
	}
	second := s.Second(t)
	t.Cleanup(func() { _ = second.Close(context.WithoutCancel(t.Context())) })
	const keys, rounds = 4, 10
	var (
		all  sync.WaitGroup
		want []record.Record
	)
	for key := range keys {
		want = append(want, version(t, key+1, rounds*versions, place(key+1, rounds*versions)))
	}
	for i, target := range []sink.Sink{s.Sink, second} {
		dice := rand.New(rand.NewPCG(3, uint64(i)))
		var history []record.Record
		for key := range keys {
			for n := range rounds * versions {
				history = append(history, version(t, key+1, int64(n+1), place(key+1, n+1)))
			}
		}
		dice.Shuffle(len(history), func(i, j int) { history[i], history[j] = history[j], history[i] })
		all.Go(func() {
			for part := range slices.Chunk(history, min(versions, target.Batch().Records)) {
				persist(t, target, part)
			}
		})
	}
	all.Wait()
	wantAll(t, s, want...)
}
