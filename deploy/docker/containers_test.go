// Package docker_test proves the images: orders flow from the sandbox through NATS to the sink, each process in a container of its own,
// and go on flowing when any of them is stopped or killed and started again.
package docker_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
)

// history is how many orders the sandbox begins with.
const history = 300

func TestOrdersFlowThroughContainersWhateverIsRestarted(t *testing.T) { //nolint:paralleltest // it sets the environment
	buildImages(t)
	prepareEngine(t)
	s := startStack(t)
	await(t, "the sandbox's history is loaded", func() error { return s.loaded(t, history) })

	for _, victim := range []struct { //nolint:paralleltest // one after the other, on the same stack
		name      string
		container *testcontainers.DockerContainer
		end       func(*testing.T, *testcontainers.DockerContainer)
	}{
		{"a stopped extractor goes on where it stood", s.extractor, stop},
		{"a stopped loader goes on where it stood", s.loader, stop},
		{"a stopped NATS comes back with everything", s.nats, stop},
		{"a killed extractor goes on where it stood", s.extractor, kill},
		{"a killed loader goes on where it stood", s.loader, kill},
		{"a killed NATS comes back with everything", s.nats, kill},
	} {
		t.Run(victim.name, func(t *testing.T) {
			before := s.snapshot(t).Records
			victim.end(t, victim.container)
			if err := victim.container.Start(t.Context()); err != nil {
				t.Fatalf("start again: %v", err)
			}
			await(t, "more orders are loaded", func() error { return s.loaded(t, before+1) })
		})
	}

	s.settle(t)
	await(t, "the stream holds the newest version of every order once", func() error { return s.complete(t) })
	await(t, "all of it is loaded", func() error { return s.loaded(t, history) })
	if letters := s.snapshot(t).DeadLetters; letters != 0 {
		t.Errorf("%d dead letters, want none", letters)
	}
}

// stop ends a container as `docker stop` does: it has time to finish, and must say that it did.
func stop(t *testing.T, c *testcontainers.DockerContainer) {
	t.Helper()
	grace := 30 * time.Second
	if err := c.Stop(t.Context(), &grace); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if code := exitCode(t, c); code != 0 {
		t.Errorf("exit code %d after a stop, want 0", code)
	}
}

// kill ends a container at once, by SIGKILL.
func kill(t *testing.T, c *testcontainers.DockerContainer) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "docker", "kill", c.GetContainerID()).CombinedOutput(); err != nil {
		t.Fatalf("kill: %v: %s", err, out)
	}
}

func exitCode(t *testing.T, c *testcontainers.DockerContainer) int {
	t.Helper()
	state, err := c.State(t.Context())
	if err != nil {
		t.Fatalf("inspect: %v", err)
	}
	return state.ExitCode
}

// await asks again until there is no error, at most two minutes long.
func await(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s: %v", what, err)
		case <-tick.C:
		}
	}
}
