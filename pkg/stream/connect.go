package stream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"
	"github.com/synadia-io/orbit.go/natscontext"

	"juliu/pkg/logging"
)

const (
	connectPatience = 5 * time.Second
	dialPatience    = 2 * time.Second
	drainPatience   = 5 * time.Second
	reconnectWait   = 250 * time.Millisecond
	// pingEvery finds a connection that died without a word after two unanswered pings, so after 30 seconds at most.
	pingEvery = 10 * time.Second
)

// Config says where NATS is and who we are there. The tags are the names of the nats CLI.
type Config struct {
	// URL is one server or several separated by commas; default nats://127.0.0.1:4222.
	URL string `envconfig:"NATS_URL"`
	// Creds is the path of a credentials file.
	Creds string `envconfig:"NATS_CREDS"`
	// NKey is the path of an nkey seed file.
	NKey string `envconfig:"NATS_NKEY"`
	// CA is the path of the certificate authority that signed the server's certificate.
	CA string `envconfig:"NATS_CA"`
	// Cert and Key are the paths of the client's own certificate and key.
	Cert string `envconfig:"NATS_CERT"`
	Key  string `envconfig:"NATS_KEY"`
	// Context names a context of the nats CLI, or is the absolute path of one; it goes before URL.
	Context string `envconfig:"NATS_CONTEXT"`
	// Name is the service's name, e.g. "extractor". The server shows it, and replies arrive under _INBOX.juliu.<name>.>, so that
	// the rights of one service need not cover another's replies.
	Name string `ignored:"true"`
	// Now is the clock; nil means time.Now.
	Now func() time.Time `ignored:"true"`
}

// String is where the configuration points to, without user, password and token.
func (cfg Config) String() string { return redact(cfg) }

// Conn is a connection to NATS that reconnects for ever. While there is no connection every call fails at once instead of being sent
// later, so that an error means what it says. It is safe for concurrent use.
type Conn struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	log    logrus.FieldLogger
	now    func() time.Time
	calls  *calls
	server string
	closed <-chan struct{}
}

// Connect returns a connection, or after 5 seconds (sooner when ctx ends) a *ConnectError that names the server without credentials and
// says what to do. Refused credentials and bad certificates fail at once.
func Connect(ctx context.Context, cfg Config, log logrus.FieldLogger) (*Conn, error) {
	closed := make(chan struct{})
	c := &Conn{log: log, now: cfg.Now, calls: newCalls(), server: redact(cfg), closed: closed}
	if c.now == nil {
		c.now = time.Now //nolint:forbidigo // the one default; every other clock is handed in
	}
	options, err := cfg.options()
	if err == nil {
		err = checkURL(cfg.URL)
	}
	if err != nil {
		return nil, &ConnectError{Server: c.server, Cause: err, Remedy: remedySettings, Code: 2}
	}
	options = append(options, c.handlers(closed)...)
	if c.nc, err = dial(ctx, cfg, options, c.server); err != nil {
		return nil, err
	}
	if c.js, err = jetstream.New(c.nc); err != nil {
		c.nc.Close()
		return nil, fmt.Errorf("prepare JetStream: %w", err)
	}
	return c, nil
}

// options are what both kinds of configuration share.
func (cfg Config) options() ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name("juliu " + cfg.Name),
		cfg.inbox(),
		nats.Timeout(dialPatience),
		nats.PingInterval(pingEvery),
		nats.DrainTimeout(drainPatience),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		// No buffer: a publish that failed must not be sent after the reconnect, when the caller has long resolved it otherwise.
		nats.ReconnectBufSize(-1),
	}
	if cfg.Creds != "" {
		options = append(options, nats.UserCredentials(cfg.Creds))
	}
	if cfg.NKey != "" {
		seed, err := nats.NkeyOptionFromSeed(cfg.NKey)
		if err != nil {
			return nil, fmt.Errorf("read NATS_NKEY: %w", err)
		}
		options = append(options, seed)
	}
	if cfg.CA != "" {
		options = append(options, nats.RootCAs(cfg.CA))
	}
	if cfg.Cert != "" || cfg.Key != "" {
		options = append(options, nats.ClientCert(cfg.Cert, cfg.Key))
	}
	return options, nil
}

// inbox gives replies a place of their own, unless the context names one.
func (cfg Config) inbox() nats.Option {
	return func(o *nats.Options) error {
		if o.InboxPrefix != "" {
			return nil
		}
		return nats.CustomInboxPrefix("_INBOX.juliu." + Escape(cfg.Name))(o)
	}
}

// handlers tell the log about the connection's life, and the calls that wait about what concerns them.
func (c *Conn) handlers(closed chan<- struct{}) []nats.Option {
	return []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if denied := parseViolation(err); denied != nil {
				c.calls.deny(denied)
				c.log.WithFields(logrus.Fields{logging.Operation: denied.Operation, logging.Subject: denied.Subject}).Error("permission denied by NATS")
				return
			}
			c.log.WithError(err).Warn("NATS reports an error")
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.calls.disconnect()
			if err != nil {
				c.log.WithError(err).WithField(logging.Server, c.server).Warn("connection to NATS lost; reconnecting")
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { c.log.WithField(logging.Server, c.server).Info("connected to NATS again") }),
		nats.ClosedHandler(func(*nats.Conn) {
			c.calls.disconnect()
			close(closed)
		}),
	}
}

// dial tries until it succeeds, is refused, or has waited long enough.
func dial(ctx context.Context, cfg Config, options []nats.Option, server string) (*nats.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	for {
		nc, err := cfg.dial(options)
		if err == nil {
			return nc, nil
		}
		if remedy := remedyFor(err); remedy != "" {
			return nil, &ConnectError{Server: server, Cause: err, Remedy: remedy, Code: 2}
		}
		if !pause(ctx, reconnectWait) {
			return nil, &ConnectError{Server: server, Cause: err, Remedy: remedyLate(err), Code: 1}
		}
	}
}

func (cfg Config) dial(options []nats.Option) (*nats.Conn, error) {
	if cfg.Context != "" {
		nc, _, err := natscontext.Connect(cfg.Context, options...)
		if _, ok := errors.AsType[*url.Error](err); ok {
			return nil, errContextURL
		}
		return nc, err //nolint:wrapcheck // ConnectError wraps it
	}
	servers := cfg.URL
	if servers == "" {
		servers = nats.DefaultURL
	}
	return nats.Connect(servers, options...) //nolint:wrapcheck // ConnectError wraps it
}

// Close finishes what is under way, at most 5 seconds long, and closes the connection.
func (c *Conn) Close() {
	if err := c.nc.Drain(); err != nil {
		c.nc.Close()
	}
	<-c.closed
}

// Connected tells whether there is a connection now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Ready returns nil when the connection stands and the stream answers.
func (c *Conn) Ready(ctx context.Context) error {
	if !c.Connected() {
		return fmt.Errorf("reach %s: %w", c.server, errDisconnected)
	}
	_, err := c.stream(ctx, Stream)
	return err
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
