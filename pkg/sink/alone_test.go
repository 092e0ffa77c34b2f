package sink_test

import (
	"os"
	"os/exec"
	"testing"
)

// runAlone runs one test of this binary in a process of its own.
func runAlone(t *testing.T, name string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
