package webhook

import (
	"crypto/x509"
	"net"
	"net/netip"
	"time"
)

// IsPublic is isPublic.
func IsPublic(address netip.Addr) bool { return isPublic(address.Unmap()) }

// RetryAfter is retryAfter.
func RetryAfter(text string, now time.Time) time.Duration { return retryAfter(text, now) }

// Sign is the header webhook-signature of the sink.
func (s *Sink) Sign(id string, at time.Time, body string) string {
	return s.signer.sign(id, at, []byte(body))
}

// Trust makes the sink trust an authority that the machine does not.
func (s *Sink) Trust(pool *x509.CertPool) { s.transport.TLSClientConfig.RootCAs = pool }

// Resolve makes the sink look names up elsewhere.
func (s *Sink) Resolve(cfg Config, resolver *net.Resolver) {
	p, _ := cfg.parse()
	dialer := net.Dialer{ControlContext: p.guard.control, Resolver: resolver}
	s.transport.DialContext = dialer.DialContext
}
