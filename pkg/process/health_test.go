package process_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"juliu/pkg/process"
)

// serve runs a server on a free port and returns its address.
func serve(t *testing.T, health *process.Health) string {
	t.Helper()
	server, err := process.Listen(t.Context(), "127.0.0.1:0", health, process.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server.Addr()
}

// get returns status and text.
func get(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestReadinessIsWhatTheChecksSay(t *testing.T) {
	t.Parallel()
	fine := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("not connected") }
	for name, test := range map[string]struct {
		prepare func(*process.Health)
		status  int
		text    string
	}{
		"without checks it is ready":                {func(*process.Health) {}, 200, "ready\n"},
		"with a good check it is ready":             {func(h *process.Health) { h.Add("nats", fine) }, 200, "nats: ok\nready\n"},
		"with one bad check it is not":              {func(h *process.Health) { h.Add("nats", fine); h.Add("erp", bad) }, 503, "nats: ok\nerp: not connected\n"},
		"while it drains it is not, checks or none": {func(h *process.Health) { h.Add("nats", fine); h.Drain() }, 503, "draining\nnats: ok\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h process.Health
			test.prepare(&h)
			addr := serve(t, &h)
			if status, text := get(t, addr, "/readyz"); status != test.status || text != test.text {
				t.Errorf("/readyz %d %q, want %d %q", status, text, test.status, test.text)
			}
			for _, path := range []string{"/healthz", "/livez"} {
				if status, text := get(t, addr, path); status != 200 || text != "ok\n" {
					t.Errorf("%s %d %q, want 200 whatever the checks say", path, status, text)
				}
			}
			err := process.Healthcheck(t.Context(), addr)
			if (test.status == 200) != (err == nil) || err != nil && !errors.Is(err, process.ErrNotReady) {
				t.Errorf("health check: %v, want as /readyz", err)
			}
		})
	}
}

func TestMetricsShowTheBuild(t *testing.T) {
	t.Parallel()
	status, text := get(t, serve(t, &process.Health{}), "/metrics")
	for _, want := range []string{`juliu_build_info{commit="`, "go_goroutines ", "process_open_fds "} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("/metrics %d without %q", status, want)
		}
	}
}

func TestAPortInUseIsToldWithTheRemedy(t *testing.T) {
	t.Parallel()
	addr := serve(t, &process.Health{})
	_, err := process.Listen(t.Context(), addr, &process.Health{}, process.NewRegistry())
	if err == nil || process.ExitCode(err) != process.ExitUsage || !strings.Contains(err.Error(), "another process listens there; set HTTP_ADDR to") {
		t.Errorf("listen: %v (exit code %d), want the cause, the remedy and 2", err, process.ExitCode(err))
	}
	var listen *process.ListenError
	if _, err := process.Listen(t.Context(), "not an address", &process.Health{}, process.NewRegistry()); !errors.As(err, &listen) {
		t.Errorf("listen: %v, want a ListenError", err)
	}
}

func TestHTTPCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", process.NoHTTP} {
		server, err := process.Listen(t.Context(), addr, &process.Health{}, process.NewRegistry())
		if err != nil || server.Addr() != "" {
			t.Errorf("listen on %q: %v, address %q; want neither", addr, err, server.Addr())
		}
		server.Close()
	}
	if err := process.Healthcheck(t.Context(), process.NoHTTP); err == nil {
		t.Error("a process that listens nowhere passed its health check")
	}
}

func TestTheHealthCheckAsksTheLoopbackWhereverTheProcessListens(t *testing.T) {
	t.Parallel()
	server, err := process.Listen(t.Context(), ":0", &process.Health{}, process.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{":" + port, "0.0.0.0:" + port, "[::]:" + port, "127.0.0.1:" + port, "localhost:" + port} {
		if err := process.Healthcheck(t.Context(), addr); err != nil {
			t.Errorf("with HTTP_ADDR %s: %v", addr, err)
		}
	}
	if err := process.Healthcheck(t.Context(), "8080"); err == nil {
		t.Error("a port without a colon passed")
	}
}

func TestTheHealthCheckOfADeadProcessFails(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := process.Healthcheck(t.Context(), addr); err == nil {
		t.Error("it passed")
	}
}
