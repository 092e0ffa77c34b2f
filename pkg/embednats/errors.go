package embednats

import (
	"errors"
	"fmt"
)

// ErrInUse means that another process runs a server on the folder. Stop that one or choose another folder.
var ErrInUse = errors.New("data folder in use")

// ErrNotRunning means that no server has noted its URL in the folder, or that the one that did is gone.
var ErrNotRunning = errors.New("no server runs on this data folder")

// InUseError is ErrInUse with the folder and the process that holds it.
type InUseError struct {
	// Dir is the folder.
	Dir string
	// PID is the process that noted itself there; 0 when it noted none.
	PID int
}

// Error names the folder, the holder and what to do.
func (e *InUseError) Error() string {
	holder := "another juliu"
	if e.PID != 0 {
		holder = fmt.Sprintf("another juliu (process %d)", e.PID)
	}
	return fmt.Sprintf("data folder in use: %s runs on %s; stop it or choose another folder with --data", holder, e.Dir)
}

// Unwrap is ErrInUse.
func (e *InUseError) Unwrap() error { return ErrInUse }

// ExitCode is 2, bad configuration.
func (e *InUseError) ExitCode() int { return 2 }

// FolderError means that the folder cannot hold a server's data.
type FolderError struct {
	// Dir is the folder.
	Dir string
	// Cause is what the operating system said.
	Cause error
}

// Error names the folder, the cause and what to do.
func (e *FolderError) Error() string {
	return fmt.Sprintf("use data folder %s: %v; make it writable or choose another folder with --data", e.Dir, e.Cause)
}

// Unwrap returns the cause.
func (e *FolderError) Unwrap() error { return e.Cause }

// ExitCode is 2, bad configuration.
func (e *FolderError) ExitCode() int { return 2 }
