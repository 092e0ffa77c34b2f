package sink

// PutAside is the first step of going on to a new file; the next Write takes the second.
func (s *JSONL) PutAside() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putAside()
}
