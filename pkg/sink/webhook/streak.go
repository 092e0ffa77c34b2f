package webhook

import "sync"

const (
	// isDown is how many different messages fail without a success between them until the receiver is taken to be down.
	isDown = 3
	// oneInTen failures of a message counts an attempt even then: else one that the receiver chokes on would be tried for ever by a
	// worker that waits for the receiver to take it, when there is no other worker whose success shows that it is the message.
	oneInTen = 10
)

// streak tells a receiver that is down from a message that it chokes on, where the answer alone does not.
type streak struct {
	mu sync.Mutex
	// failures counts those of each message since the last success.
	failures map[string]int
}

// fail notes a failure and reports whether the receiver is the cause rather than the message.
func (s *streak) fail(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == nil {
		s.failures = map[string]int{}
	}
	s.failures[id]++
	return len(s.failures) >= isDown && s.failures[id]%oneInTen != 0
}

// end notes a success.
func (s *streak) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = nil
}
