package stream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

const (
	remedyUnreachable = "start the server or set NATS_URL to where it runs"
	remedyClosed      = "set NATS_URL to where NATS runs; a server that speaks TLS at once (handshake_first) needs a context with tls_first in NATS_CONTEXT"
	remedyAuth        = "check the user and password in NATS_URL, NATS_CREDS, NATS_NKEY or the context NATS_CONTEXT names"
	remedyTLS         = "set NATS_CA to the authority that signed the server's certificate, and NATS_CERT and NATS_KEY if it asks for a client's"
	remedySettings    = "check NATS_URL, NATS_CONTEXT, and the files that NATS_CREDS, NATS_NKEY, NATS_CA, NATS_CERT and NATS_KEY name"
)

// remedyFor says what to do about a refusal that no waiting cures; "" when the server may only be late.
func remedyFor(err error) string {
	var (
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		certificate *tls.CertificateVerificationError
		header      tls.RecordHeaderError
		network     net.Error
		file        *fs.PathError // is a net.Error too
	)
	switch {
	case errors.As(err, &file):
		return remedySettings
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired):
		return remedyAuth
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &certificate), isAlert(err), errors.As(err, &header),
		errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return remedyTLS
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout), errors.As(err, &network), strings.Contains(err.Error(), "EOF"):
		return ""
	default:
		return remedySettings
	}
}

// isAlert tells that the other side refused our part of TLS. A refused client's certificate arrives after the handshake (RFC 8446, 4.4.2.4),
// and crypto/tls gives its alerts no type of their own.
func isAlert(err error) bool {
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && operation.Op == "remote error"
}

// remedyLate says what to do when waiting did not help.
func remedyLate(err error) string {
	if strings.Contains(err.Error(), "EOF") {
		return remedyClosed
	}
	return remedyUnreachable
}

// errURL says no more than that, because what stands in a URL that cannot be read may be a password.
var errURL = errors.New("NATS_URL cannot be read as a URL; write special characters of user and password as %XX")

// errContextURL says no more, for the same reason: what url.Parse says quotes pieces of the password.
var errContextURL = errors.New("the context's URL cannot be read as a URL; write special characters of user and password as %XX")

// checkURL refuses what the client would fail at with an error that shows the password.
func checkURL(servers string) error {
	for server := range strings.SplitSeq(servers, ",") {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		parsed, err := url.Parse(server)
		if err != nil || strings.Contains(parsed.Path, "@") {
			return errURL
		}
	}
	return nil
}

// redact is where a configuration points to, without user, password and token.
func redact(cfg Config) string {
	if cfg.Context != "" {
		return "context " + cfg.Context
	}
	if cfg.URL == "" {
		return nats.DefaultURL
	}
	var servers []string
	for server := range strings.SplitSeq(cfg.URL, ",") {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(server), "://")
		if !ok {
			scheme, rest = "nats", scheme
		}
		servers = append(servers, scheme+"://"+rest[strings.LastIndex(rest, "@")+1:])
	}
	return strings.Join(servers, ",")
}
