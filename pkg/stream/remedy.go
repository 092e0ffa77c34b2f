package stream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

const (
	remedyUnreachable = "start the server or set NATS_URL to where it runs"
	remedyFiles       = "check the files that NATS_CREDS, NATS_NKEY, NATS_CA, NATS_CERT and NATS_KEY name"
	remedyAuth        = "check the user and password in NATS_URL, NATS_CREDS, NATS_NKEY or the context NATS_CONTEXT names"
	remedyTLS         = "set NATS_CA to the authority that signed the server's certificate, and NATS_CERT and NATS_KEY if it asks for a client's"
	remedySettings    = "check NATS_URL and the other NATS_ settings"
)

// remedyFor says what to do about a refusal that no waiting cures; "" when the server may only be late.
func remedyFor(err error) string {
	var (
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		header      tls.RecordHeaderError
		network     net.Error
	)
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired):
		return remedyAuth
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &header),
		errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return remedyTLS
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout), errors.As(err, &network), strings.Contains(err.Error(), "EOF"):
		return ""
	default:
		return remedySettings
	}
}

// redact is where a configuration points to, without user, password and token.
func redact(cfg Config) string {
	if cfg.Context != "" {
		return "context " + cfg.Context
	}
	if cfg.URL == "" {
		return nats.DefaultURL
	}
	servers := strings.Split(cfg.URL, ",")
	for i, server := range servers {
		parsed, err := url.Parse(strings.TrimSpace(server))
		if err != nil || parsed.Host == "" {
			// What stands before an @ may be a secret whatever the rest looks like.
			servers[i] = server[strings.LastIndex(server, "@")+1:]
			continue
		}
		servers[i] = parsed.Scheme + "://" + parsed.Host
	}
	return strings.Join(servers, ",")
}
