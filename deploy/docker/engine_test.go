package docker_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// prepareEngine makes testcontainers fit the Docker engine at hand.
func prepareEngine(t *testing.T) {
	t.Helper()
	// Its reaper would be one more image; this test removes its containers itself.
	t.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	// Inside a container testcontainers takes the engine to be outside of it. Where the engine's bridge is an interface of our own, it
	// runs beside us, and published ports are on localhost.
	_, err := net.InterfaceByName("docker0")
	if os.Getenv("TESTCONTAINERS_HOST_OVERRIDE") == "" && err == nil {
		t.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
	}
}

// buildImages builds our images from the working tree, as `make images` does, under a tag of their own.
func buildImages(t *testing.T) {
	t.Helper()
	t.Setenv("JULIU_TAG", "test")
	if out, err := runMake(t, "images-base"); err != nil {
		unavailable(t, out)
	}
	out, err := runMake(t, "images")
	if err != nil {
		t.Fatalf("make images: %v\n%s", err, out)
	}
	t.Log(out)
}

func runMake(t *testing.T, target string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "make", "-C", root, target).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// unavailable ends a test for want of Docker: skipped on a developer's machine, failed where containers are required, as in CI.
func unavailable(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("JULIU_REQUIRE_CONTAINERS") != "" {
		t.Fatalf("containers are required here (JULIU_REQUIRE_CONTAINERS) and cannot run: %s", reason)
	}
	t.Skipf("containers cannot run here: %s", reason)
}
