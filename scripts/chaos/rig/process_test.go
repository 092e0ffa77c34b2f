package rig_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"juliu/scripts/chaos/rig"
)

// supervise runs a script, and returns it with the file that it writes to.
func supervise(t *testing.T, script string) (rig.Daemon, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	d, err := rig.NewDaemon("test", log, []string{"PATH=/usr/bin:/bin"}, "/bin/sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.Supervise(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return d, log
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestAProcessThatEndsIsStartedAgainAndItsCodeCounted(t *testing.T) {
	t.Parallel()
	d, _ := supervise(t, "exit 3")
	if d.PID() != 0 || len(d.Ends()) > 0 {
		t.Error("it runs before it may")
	}
	d.Up()
	until(t, "two ends with code 3", func() bool { return d.Ends()[3] >= 2 })
}

func TestAProcessThatIsEndedStaysDownUntilItMayRun(t *testing.T) {
	t.Parallel()
	d, log := supervise(t, "trap '' TERM; echo deaf; exec sleep 1000")
	d.Up()
	until(t, "it is deaf", func() bool { said, _ := os.ReadFile(log); return len(said) > 0 })
	first := d.PID()
	d.End(200 * time.Millisecond) // it takes no notice, so it is killed
	if d.PID() != 0 || len(d.Ends()) > 0 {
		t.Errorf("after the end: pid %d, ends %v", d.PID(), maps.Clone(d.Ends()))
	}
	d.Up()
	until(t, "it runs again", func() bool { return d.PID() != 0 && d.PID() != first })
}
