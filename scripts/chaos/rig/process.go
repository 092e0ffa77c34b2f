package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// restartAfter is how long a process that ended by itself stays down, as an orchestrator has it.
const restartAfter = 300 * time.Millisecond

// daemon is a process that is started again whenever it ends, unless it is held down.
type daemon struct {
	name string
	argv []string
	env  []string
	log  io.WriteCloser

	mu   sync.Mutex
	cmd  *exec.Cmd
	down bool          // held down, or not started yet
	wake chan struct{} // closed when it is not held down any more
	// exits counts how it ended by itself: the code, or -1 for a signal.
	exits map[int]int
	ended chan struct{}
}

// newDaemon prepares a process whose output goes to the file log.
func newDaemon(name, log string, env []string, argv ...string) (*daemon, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // The rig's own folder.
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	return &daemon{
		name: name, argv: argv, env: env, log: file, down: true, wake: make(chan struct{}), exits: map[int]int{}, ended: make(chan struct{}),
	}, nil
}

// supervise runs the process until ctx ends, then kills it.
func (d *daemon) supervise(ctx context.Context) {
	defer func() { _ = d.log.Close() }()
	for ctx.Err() == nil {
		d.mu.Lock()
		down, wake := d.down, d.wake
		d.mu.Unlock()
		if down {
			select {
			case <-wake:
			case <-ctx.Done():
			}
			continue
		}
		if err := d.once(ctx); err != nil {
			_, _ = fmt.Fprintf(d.log, "rig: %v\n", err)
		}
		pause(ctx, restartAfter)
	}
}

// once starts the process and waits for its end.
func (d *daemon) once(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, d.argv[0], d.argv[1:]...) //nolint:gosec // The rig's own programs.
	cmd.Env, cmd.Stdout, cmd.Stderr = d.env, d.log, d.log
	ended := make(chan struct{})
	defer close(ended)
	d.mu.Lock()
	if d.down {
		d.mu.Unlock()
		return nil
	}
	if err := cmd.Start(); err != nil {
		d.mu.Unlock()
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	d.cmd, d.ended = cmd, ended
	d.mu.Unlock()
	err := cmd.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cmd = nil
	if _, isExit := errors.AsType[*exec.ExitError](err); !d.down && ctx.Err() == nil && (err == nil || isExit) {
		d.exits[cmd.ProcessState.ExitCode()]++
	}
	return nil
}

// up lets the process run.
func (d *daemon) up() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		d.down = false
		close(d.wake)
		d.wake = make(chan struct{})
	}
}

// end ends the process by a signal and holds it down. It waits for the end, at most patience and then kills.
func (d *daemon) end(signal os.Signal, patience time.Duration) {
	d.mu.Lock()
	d.down = true
	cmd, ended := d.cmd, d.ended
	if cmd != nil {
		_ = cmd.Process.Signal(signal)
	}
	d.mu.Unlock()
	if cmd == nil {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
		return
	case <-timer.C:
		_ = cmd.Process.Kill()
		<-ended
	}
}

// freeze stops the process where it is; thaw lets it go on.
func (d *daemon) freeze() { d.signal(syscall.SIGSTOP) }

func (d *daemon) thaw() { d.signal(syscall.SIGCONT) }

func (d *daemon) signal(s os.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd != nil {
		_ = d.cmd.Process.Signal(s)
	}
}

// pid is 0 while there is none.
func (d *daemon) pid() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd == nil {
		return 0
	}
	return d.cmd.Process.Pid
}

// ends is how often it ended by itself, by exit code.
func (d *daemon) ends() map[int]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.exits)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
