package embednats

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const lockName = "lock"

// lock holds the folder for this process. The kernel lets go of it when the process ends in whatever way.
type lock struct{ file *os.File }

// takeLock creates the folder when it is missing and locks it without waiting.
func takeLock(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &FolderError{Dir: dir, Cause: err}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &FolderError{Dir: dir, Cause: err}
	}
	defer root.Close()
	file, err := root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &FolderError{Dir: dir, Cause: err}
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &InUseError{Dir: dir, PID: notedPID(file)}
		}
		return nil, &FolderError{Dir: dir, Cause: err}
	}
	l := &lock{file: file}
	if err := l.notePID(); err != nil {
		l.release()
		return nil, &FolderError{Dir: dir, Cause: err}
	}
	return l, nil
}

// notePID tells the next one who holds the folder.
func (l *lock) notePID() error {
	if err := l.file.Truncate(0); err != nil {
		return err //nolint:wrapcheck // takeLock wraps it with the folder
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err //nolint:wrapcheck // takeLock wraps it with the folder
}

func notedPID(file *os.File) int {
	note := make([]byte, 20)
	n, _ := file.ReadAt(note, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(note[:n])))
	if err != nil {
		return 0
	}
	return pid
}

// isHeld reports whether a process runs on the folder. It creates nothing. Its lock is a shared one: two that ask at once do not take
// each other for a server.
func isHeld(dir string) (bool, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err //nolint:wrapcheck // FindURL wraps it with the folder
	}
	defer root.Close()
	file, err := root.Open(lockName)
	if err != nil {
		return false, err //nolint:wrapcheck // FindURL wraps it with the folder
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return true, nil
		}
		return false, err //nolint:wrapcheck // FindURL wraps it with the folder
	}
	(&lock{file: file}).release()
	return false, nil
}

// release unlocks. The file stays: removing it would let two processes lock two files of one name.
// Closing alone would not unlock while a child that is just being started still shares the file.
func (l *lock) release() {
	_ = unix.Flock(int(l.file.Fd()), unix.LOCK_UN)
	_ = l.file.Close()
}
