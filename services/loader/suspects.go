package loader

import (
	"sync"

	"juliu/pkg/stream"
)

const (
	// aloneAfter is how often a record fails here, without the sink saying which of the batch is the cause, until it is written alone: one
	// that the sink chokes on must not take others with it. How often it was delivered does not tell: loaders that died count too.
	aloneAfter = 2
	// lastAlone is how many attempts before the last are made alone whoever saw the others fail: no record ends as a dead letter for what
	// another one did.
	lastAlone = 3
	// mostSuspects bounds what is remembered; most of it went to other loaders.
	mostSuspects = 100_000
)

// suspects are the records that failed in this process.
type suspects struct {
	maxAttempts int

	mu     sync.Mutex
	failed map[uint64]int
}

// note counts a failure.
func (s *suspects) note(d stream.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil || len(s.failed) >= mostSuspects {
		s.failed = map[uint64]int{}
	}
	s.failed[d.Sequence]++
}

// forget is for what is settled for good.
func (s *suspects) forget(d stream.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failed, d.Sequence)
}

// lived reports whether this process has seen the delivery fail: then it did not end the loaders that were given it.
func (s *suspects) lived(d stream.Delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[d.Sequence] > 0
}

// alone reports whether a delivery must be written alone.
func (s *suspects) alone(d stream.Delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[d.Sequence] >= aloneAfter || d.Attempt > 1 && d.Attempt > s.maxAttempts-lastAlone
}
