package sink

import "os"

// PutAside is the first step of going on to a new file; the next Write takes the second.
func (s *JSONL) PutAside() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putAside()
}

// Prepare is what OpenJSONL does with the file once it is open.
func Prepare(path string, file *os.File) error {
	s := &JSONL{path: path, file: file}
	return s.prepare()
}
