package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"juliu/pkg/record"
)

const (
	// jsonlBatch bounds the memory of one write to a few megabytes of ordinary orders.
	jsonlBatch = 500
	jsonlWait  = 20 * time.Millisecond
	// jsonlMode keeps the receivers' data to the user who runs the loader.
	jsonlMode fs.FileMode = 0o600
)

// ErrLocked means that another process writes to the file.
var ErrLocked = errors.New("another process writes to it")

// JSONL appends records to a file, one JSON object a line:
//
//	{"sequence":7,"published":"2026-01-31T00:00:00Z","source":"main","resource":"sales-out","shop":"1","key":"42","order":{…}}
//
// order is the typed row under the vendor's field names. A nil from Write means that the lines were fsynced. Every record is there at
// least once; one whose acknowledgement was lost stands there again, and versions of one key stand in the order in which they came,
// which after a retry is not the order of their age: readers keep the line with the highest sequence for each source, resource and key.
//
// A file that is full gets a name with the time, orders-20261124T193000.000Z.jsonl for orders.jsonl, and never changes again; the names
// sort in the order in which the files were written. Nothing is ever deleted: the orders are the operator's.
//
// It is safe for concurrent use. One process at a time may write to a file; the operating system frees the lock when it ends.
type JSONL struct {
	mu   sync.Mutex
	path string
	// real is path without symbolic links: full files stand beside it.
	real   string
	rotate int64
	now    func() time.Time
	closed bool
	// file is nil while a full file was put aside and the next one could not be created yet.
	file *os.File
	// size is where the last whole, fsynced line ends.
	size int64
	// torn is set while bytes of a failed write may stand after size.
	torn bool
}

// JSONLConfig says where lines go.
type JSONLConfig struct {
	// Path is the file that is written.
	Path string
	// Rotate is the size in bytes that a batch must not take the file past: it then goes into a new file, as a whole, whatever its size.
	// 0 means that there is one file for ever.
	Rotate int64
	// Now is the clock for the names of full files; nil means time.Now.
	Now func() time.Time
}

// OpenJSONL opens or creates the file, for this user alone. The part of a line that a crash left at the end is removed: its
// record was not acknowledged and comes again. Errors: ErrLocked, ErrNotOurs, or what the operating system said.
func OpenJSONL(cfg JSONLConfig) (*JSONL, error) {
	file, err := os.OpenFile(cfg.Path, os.O_RDWR|os.O_CREATE, jsonlMode)
	if err != nil {
		return nil, fmt.Errorf("open JSON lines: %w", err)
	}
	s := &JSONL{path: cfg.Path, rotate: cfg.Rotate, now: cfg.Now, file: file}
	if s.now == nil {
		s.now = time.Now //nolint:forbidigo // the one default; every other clock is handed in
	}
	if err := s.prepare(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open JSON lines %s: %w", cfg.Path, err)
	}
	return s, nil
}

// prepare locks the file, removes a torn line, and makes the file's name durable.
func (s *JSONL) prepare() error {
	if err := lock(s.file); err != nil {
		return err
	}
	end, err := lastLine(s.file)
	if err != nil {
		return err
	}
	s.size, s.torn = end, true
	if s.untouched() != nil {
		return ErrLocked // another process has put it aside since it was opened
	}
	if s.real, err = filepath.EvalSymlinks(s.path); err != nil {
		return fmt.Errorf("follow links: %w", err)
	}
	if err := s.mend(); err != nil {
		return err
	}
	return syncFolder(s.real)
}

// errChanged means that lines would go where nobody finds them, or that lines are gone.
var errChanged = errors.New("the file was removed, replaced, cut or written by another program while it was open; restart the loader, the records wait")

// untouched fails unless the file still stands under its name and ends where the last write left it.
func (s *JSONL) untouched() error {
	if s.file == nil {
		return nil // makeRoom looks
	}
	there, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("%w: %w", errChanged, err)
	}
	ours, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("look at the open file: %w", err)
	}
	if !os.SameFile(there, ours) || ours.Size() < s.size || ours.Size() > s.size && !s.torn {
		return errChanged
	}
	return nil
}

// mend cuts what stands after the last whole line.
func (s *JSONL) mend() error {
	if !s.torn {
		return nil
	}
	if err := s.file.Truncate(s.size); err != nil {
		return fmt.Errorf("cut torn line: %w", err)
	}
	s.torn = false
	return nil
}

// line is one line of the file.
type line struct {
	Sequence  uint64          `json:"sequence"`
	Published time.Time       `json:"published"`
	Source    string          `json:"source"`
	Resource  string          `json:"resource"`
	Shop      string          `json:"shop"`
	Key       string          `json:"key"`
	Order     json.RawMessage `json:"order"`
}

// Write appends the batch and fsyncs it. A record that cannot be put into JSON is ErrRejected, in a *BatchError; the disk's errors are
// an *UnavailableError, after which nothing of the batch stays in the file.
func (s *JSONL) Write(ctx context.Context, batch []record.Record) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the contract of a sink
	}
	var text bytes.Buffer
	failed := map[int]error{}
	for i, r := range batch {
		if err := appendLine(&text, r); err != nil {
			failed[i] = err
		}
	}
	if err := s.append(text.Bytes()); err != nil {
		return err
	}
	if len(failed) > 0 {
		return &BatchError{Failed: failed}
	}
	return nil
}

// appendLine adds the whole line or nothing.
func appendLine(text *bytes.Buffer, r record.Record) error {
	order, err := r.PayloadJSON()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	encoded, err := json.Marshal(line{r.Sequence, r.Published, r.Source, r.Resource, r.Shop, r.Key, order})
	if err != nil {
		return fmt.Errorf("%w: the record cannot be put into JSON", ErrRejected)
	}
	text.Write(encoded)
	text.WriteByte('\n')
	return nil
}

// append writes and fsyncs all of text, or leaves the file as it was. After a failed fsync the system may have forgotten what it did
// not write, so text is cut and written anew on the next try rather than fsynced again.
func (s *JSONL) append(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("write JSON lines: %w", ErrClosed)
	}
	if err := s.untouched(); err != nil {
		return &UnavailableError{Cause: fmt.Errorf("write JSON lines %s: %w", s.path, err)}
	}
	err := s.mend()
	if err == nil {
		err = s.makeRoom(len(text))
	}
	if err == nil {
		s.torn = true
		_, err = s.file.WriteAt(text, s.size)
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		_ = s.mend() // else the next try mends
		return &UnavailableError{Cause: fmt.Errorf("write JSON lines %s: %w", s.path, err)}
	}
	s.size, s.torn = s.size+int64(len(text)), false
	return nil
}

// Batch is up to 500 records, and waits a little: an fsync costs the same for one line as for many.
func (*JSONL) Batch() Batch { return Batch{Records: jsonlBatch, Wait: jsonlWait} }

// Close closes the file, which holds everything written.
func (s *JSONL) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.file == nil {
		return nil
	}
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close JSON lines: %w", err)
	}
	return nil
}
