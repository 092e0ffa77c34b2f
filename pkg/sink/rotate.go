package sink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"juliu/pkg/failpoint"
)

// fullStamp is the time in the name of a full file, in UTC.
const fullStamp = "20060102T150405.000Z"

// makeRoom puts the file aside when it would grow past the limit by more bytes, and sees to it that there is one to write to. What fails
// here is gone on with by the next try: between the two steps there is no file, and the next start finds none and creates it.
func (s *JSONL) makeRoom(more int) error {
	if s.file != nil && s.rotate > 0 && s.size > 0 && s.size+int64(more) > s.rotate {
		if err := s.putAside(); err != nil {
			return fmt.Errorf("put the full file aside: %w", err)
		}
		failpoint.Hit("jsonl-put-aside")
	}
	if s.file != nil {
		return nil
	}
	return s.create()
}

// putAside gives the full file, of which every line is fsynced, its lasting name.
func (s *JSONL) putAside() error {
	full, err := s.reserve()
	if err != nil {
		return err
	}
	failpoint.Hit("jsonl-reserved")
	if err := os.Rename(s.real, full); err != nil {
		return errors.Join(err, os.Remove(full))
	}
	_ = s.file.Close() // nothing is left in it that could get lost
	s.file = nil
	return nil
}

// reserve creates an empty file under a name that no file has and that sorts behind those of all full files, also when the clock was
// set back.
func (s *JSONL) reserve() (string, error) {
	stem, ext := splitName(s.real)
	entries, err := os.ReadDir(filepath.Dir(s.real))
	if err != nil {
		return "", fmt.Errorf("read folder: %w", err)
	}
	at := s.now().UTC().Truncate(time.Millisecond)
	for _, entry := range entries {
		text, ours := strings.CutPrefix(entry.Name(), stem)
		text, ends := strings.CutSuffix(text, ext)
		before, err := time.Parse(fullStamp, text)
		if ours && ends && err == nil && !at.After(before) {
			at = before.Add(time.Millisecond)
		}
	}
	name := filepath.Join(filepath.Dir(s.real), stem+at.Format(fullStamp)+ext)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, jsonlMode) //nolint:gosec // beside the file that the operator names
	if err != nil {
		return "", fmt.Errorf("name the full file: %w", err)
	}
	_ = file.Close()
	return name, nil
}

// splitName returns what the names of full files begin and end with.
func splitName(path string) (string, string) {
	base, ext := filepath.Base(path), filepath.Ext(path)
	return strings.TrimSuffix(base, ext) + "-", ext
}

// create begins a new file in the place of the one put aside. One that stands there already is somebody else's.
func (s *JSONL) create() error {
	file, err := os.OpenFile(s.real, os.O_RDWR|os.O_CREATE|os.O_EXCL, jsonlMode)
	if errors.Is(err, fs.ErrExist) {
		return errChanged
	}
	if err != nil {
		return fmt.Errorf("create the next file: %w", err)
	}
	if err := lock(file); err != nil {
		_ = file.Close() // it is now the file of whoever was faster
		return err
	}
	failpoint.Hit("jsonl-created")
	if err := syncFolder(s.real); err != nil {
		_ = os.Remove(s.real)
		_ = file.Close()
		return err
	}
	s.file, s.size, s.torn = file, 0, false
	return nil
}

// lock takes the file for this process alone.
func lock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

// syncFolder makes the names in the folder of the file durable.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer func() { _ = folder.Close() }()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
