//go:build failpoint

package failpoint_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"juliu/pkg/failpoint"
)

// The test starts itself with a list, and as that process reaches a step twice and another once.
func TestTheStepNamedEndsTheProcess(t *testing.T) {
	t.Parallel()
	if list := os.Getenv("FAILPOINT"); list != "" {
		failpoint.Hit("other")
		failpoint.Hit("step")
		_, _ = os.Stdout.WriteString("between\n")
		failpoint.Hit("step")
		<-failpoint.Waiting(t.Context(), "wait", func() { _, _ = os.Stdout.WriteString("sent\n") }).Done()
		return
	}
	cases := map[string]struct {
		list   string
		signal syscall.Signal
		code   int
		says   string
	}{
		"the first time by default":                 {list: "step:kill", signal: syscall.SIGKILL},
		"the nth time":                              {list: "step:kill:2", signal: syscall.SIGKILL, says: "between\n"},
		"an exit":                                   {list: "absent:kill,step:exit", code: 1},
		"waiting, after the message was sent":       {list: "wait:exit", code: 1, says: "between\nsent\n"},
		"an unknown action is not passed over":      {list: "step:explode", code: 2, says: "want name:action"},
		"a count that is none":                      {list: "step:kill:0", code: 2, says: "n of 1 or more"},
		"a name given twice":                        {list: "step:kill,step:exit", code: 2, says: "each name once"},
		"a step that is never reached the nth time": {list: "step:kill:3,wait:exit", code: 1, says: "between\nsent\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheStepNamedEndsTheProcess$")
			cmd.Env = append(os.Environ(), "FAILPOINT="+c.list)
			out, err := cmd.CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok {
				t.Fatalf("ended with %v: %s", err, out)
			}
			status, ok := exit.Sys().(syscall.WaitStatus)
			if !ok || status.Signaled() != (c.signal != 0) || c.signal != 0 && status.Signal() != c.signal || c.signal == 0 && status.ExitStatus() != c.code {
				t.Errorf("ended with %v", err)
			}
			if !strings.Contains(string(out), c.says) || c.says == "" && len(out) > 0 {
				t.Errorf("said %q, want %q", out, c.says)
			}
		})
	}
}
