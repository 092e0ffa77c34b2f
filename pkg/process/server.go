package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// DefaultHTTPAddr is where a process listens when HTTP_ADDR is not set.
	DefaultHTTPAddr = ":8080"
	// NoHTTP is the HTTP_ADDR of a process that shall not listen.
	NoHTTP = "off"
	// closeTimeout is how long Close waits for requests in hand.
	closeTimeout = 2 * time.Second
)

// Server serves /healthz, /livez, /readyz and /metrics.
type Server struct {
	server   *http.Server
	listener net.Listener
	done     chan error
}

// ListenError means that HTTP_ADDR cannot be listened on.
type ListenError struct {
	// Addr is the address as configured.
	Addr string
	// Cause is what the operating system said.
	Cause error
}

// Error names the address, the cause and what to do.
func (e *ListenError) Error() string {
	cause := e.Cause.Error()
	if errors.Is(e.Cause, syscall.EADDRINUSE) {
		cause = "another process listens there"
	}
	return fmt.Sprintf("listen on HTTP_ADDR %s: %s; set HTTP_ADDR to a free address such as :8081, or to %q", e.Addr, cause, NoHTTP)
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Cause }

// ExitCode is ExitUsage.
func (e *ListenError) ExitCode() int { return ExitUsage }

// Listen serves in the background until Close, so that an address in use fails the start: the error is a *ListenError. An addr that
// is empty or NoHTTP serves nothing and returns a Server that needs no Close.
func Listen(ctx context.Context, addr string, health *Health, metrics prometheus.Gatherer) (*Server, error) {
	if addr == "" || addr == NoHTTP {
		return &Server{}, nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &ListenError{Addr: addr, Cause: err}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", health.live)
	mux.HandleFunc("GET /livez", health.live)
	mux.HandleFunc("GET /readyz", health.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	s := &Server{
		server: &http.Server{
			Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
			IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		},
		listener: listener,
		done:     make(chan error, 1),
	}
	go func() { s.done <- s.server.Serve(listener) }()
	return s, nil
}

// Addr is the address that the server really has, which tells the port when ":0" was asked for; empty when it serves nothing.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Close ends the server and waits for it: up to 2 s for requests in hand. It may be called once.
func (s *Server) Close() {
	if s.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		_ = s.server.Close() // requests that do not end are cut
	}
	<-s.done
}
