//go:build failpoint

package failpoint

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// variable is what scripts/check-links.sh looks for in the shipped binaries.
const variable = "FAILPOINT"

// step is what happens at a step, and how often it is to be reached before.
type step struct {
	action func()
	left   atomic.Int64
}

// steps are read once, at the first step that is reached.
//
//nolint:gochecknoglobals // the environment is the process's own, and only test builds have this file
var steps = sync.OnceValue(func() map[string]*step {
	found, err := parse(os.Getenv(variable)) //nolint:forbidigo // no setting of a service, and only test builds have this file
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2) //nolint:forbidigo // a test that asks for a step in vain must not pass
	}
	return found
})

// Hit is the step name: what FAILPOINT says of it happens here.
func Hit(name string) {
	if s := steps()[name]; s != nil && s.left.Add(-1) == 0 {
		s.action()
	}
}

// Waiting returns a context like ctx. The step name is reached when somebody begins to wait for it, after sent has run.
func Waiting(ctx context.Context, name string, sent func()) context.Context {
	if steps()[name] == nil {
		return ctx
	}
	return waiting{Context: ctx, hit: func() {
		sent()
		Hit(name)
	}}
}

type waiting struct {
	context.Context //nolint:containedctx // it is one

	hit func()
}

// Done is what whoever waits calls first.
func (w waiting) Done() <-chan struct{} {
	w.hit()
	return w.Context.Done()
}

func parse(list string) (map[string]*step, error) {
	found := map[string]*step{}
	for entry := range strings.SplitSeq(list, ",") {
		if entry == "" {
			continue
		}
		name, rest, _ := strings.Cut(entry, ":")
		action, count, counted := strings.Cut(rest, ":")
		s := &step{action: map[string]func(){"kill": kill, "stop": stop, "exit": exit}[action]}
		s.left.Store(1)
		if counted {
			n, err := strconv.ParseInt(count, 10, 64)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("read %s: %q: want name:action[:n] with n of 1 or more", variable, entry)
			}
			s.left.Store(n)
		}
		if name == "" || s.action == nil || found[name] != nil {
			return nil, fmt.Errorf("read %s: %q: want name:action[:n], each name once, with action kill, stop or exit", variable, entry)
		}
		found[name] = s
	}
	return found, nil
}

func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // nothing more happens, however long the signal takes
}

func stop() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }

func exit() { os.Exit(1) } //nolint:forbidigo // a crash
