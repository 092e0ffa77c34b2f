package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Reach opens a connection to the receiver, with TLS where its URL has https, and closes it again: nothing is posted. It dials what
// Write would, and nothing else. The error names the host alone.
func Reach(ctx context.Context, cfg Config) error {
	p, wrong := cfg.parse()
	if len(wrong) > 0 {
		return fmt.Errorf("reach the webhook: %w", wrong[0])
	}
	port := p.url.Port()
	if port == "" {
		port = p.url.Scheme // a name that the dialer knows
	}
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: p.guard.control}
	address := net.JoinHostPort(strings.TrimSuffix(p.url.Hostname(), "."), port)
	var (
		conn net.Conn
		err  error
	)
	if p.url.Scheme == "https" {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err == nil {
		err = conn.Close()
	}
	if refused, ok := errors.AsType[*addressError](err); ok {
		err = refused
	}
	if err != nil {
		return fmt.Errorf("reach the webhook at %s: %w", p.url.Host, err)
	}
	return nil
}
