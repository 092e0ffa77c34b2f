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
)

// Server serves /healthz, /livez, /readyz and /metrics.
type Server struct {
	server   *http.Server
	listener net.Listener
	done     chan struct{}
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
		done:     make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // it ends with Close
	}()
	return s, nil
}

// Addr is the address that the server really has, which tells the port when ":0" was asked for; empty when it serves nothing.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Close ends the server and waits for it. Requests in hand are cut: nobody needs the health of a process that ends. It may be called
// more than once.
func (s *Server) Close() {
	if s.server == nil {
		return
	}
	_ = s.server.Close() // its error is that of the listener, which is gone either way
	<-s.done
}
