package webhook

import (
	"math/bits"
	"sync"
)

const (
	// isDown is how many different messages fail without a success between them until the receiver is taken to be down.
	isDown = 3
	// isDeaf is how many different messages are refused for good without a success between them until the receiver is taken to be the
	// cause: many answer 400 to a signature that they cannot verify.
	isDeaf = 10
	// letGo is after how many failures a message is the cause even then, and again after twice as many, four times as many and so on:
	// else one that the receiver chokes on would be tried for ever by a worker that waits for the receiver to take it, when there is no
	// other worker whose success shows that it is the message. At two tries a minute the tenth time comes after more than a day: an
	// outage does not use up the attempts.
	letGo = 10
)

// streak tells a receiver that fails from a message that it chokes on, where the answer alone does not.
type streak struct {
	// limit is how many different messages make the receiver the cause.
	limit int

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
	n := s.failures[id]
	isLetGo := n%letGo == 0 && bits.OnesCount(uint(n/letGo)) == 1
	return len(s.failures) >= s.limit && !isLetGo
}

// end notes a success.
func (s *streak) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = nil
}
