package rig_test

import (
	"context"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"juliu/scripts/chaos/rig"
)

func supervise(t *testing.T, script string) rig.Daemon {
	t.Helper()
	d, err := rig.NewDaemon("test", filepath.Join(t.TempDir(), "log"), nil, "/bin/sh", "-c", script)
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
	return d
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
	d := supervise(t, "exit 3")
	if d.PID() != 0 || len(d.Ends()) > 0 {
		t.Error("it runs before it may")
	}
	d.Up()
	until(t, "two ends with code 3", func() bool { return d.Ends()[3] >= 2 })
}

func TestAProcessThatIsEndedStaysDownUntilItMayRun(t *testing.T) {
	t.Parallel()
	d := supervise(t, "trap '' TERM; while :; do read x < /dev/zero; done")
	d.Up()
	until(t, "it runs", func() bool { return d.PID() != 0 })
	first := d.PID()
	d.End(200 * time.Millisecond) // it takes no notice, so it is killed
	if d.PID() != 0 || len(d.Ends()) > 0 {
		t.Errorf("after the end: pid %d, ends %v", d.PID(), maps.Clone(d.Ends()))
	}
	d.Up()
	until(t, "it runs again", func() bool { return d.PID() != 0 && d.PID() != first })
}
