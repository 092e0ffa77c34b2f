package stream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// calls are the calls that wait for the server. nats.go reports a refused right, and a lost connection, to a handler of the connection
// while the call itself waits for its time-out; here the call learns of it at once.
type calls struct {
	mu      sync.Mutex
	waiting map[*call]struct{}
	// inbox is set when replies cannot arrive; the server says so once, at the first request of a connection.
	inbox *PermissionError
}

// callPatience is how long one question may stay unanswered.
const callPatience = 5 * time.Second

type call struct {
	subjects []string
	resumes  bool // a lost connection does not end it
	cancel   context.CancelCauseFunc
}

func newCalls() *calls { return &calls{waiting: map[*call]struct{}{}} }

// begin registers a call that publishes to subjects with one of the prefixes. The context ends with the cause when that is denied or
// the connection breaks. The function returned must be called at the end.
func (cs *calls) begin(ctx context.Context, prefixes ...string) (context.Context, func()) {
	return cs.register(ctx, &call{subjects: prefixes})
}

// follow is begin for what goes on by itself after a reconnect.
func (cs *calls) follow(ctx context.Context, prefixes ...string) (context.Context, func()) {
	return cs.register(ctx, &call{subjects: prefixes, resumes: true})
}

func (cs *calls) register(ctx context.Context, one *call) (context.Context, func()) {
	ctx, one.cancel = context.WithCancelCause(ctx)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.waiting[one] = struct{}{}
	if cs.inbox != nil {
		one.cancel(cs.inbox)
	}
	return ctx, func() {
		cs.mu.Lock()
		delete(cs.waiting, one)
		cs.mu.Unlock()
		one.cancel(nil)
	}
}

// ask is begin for one question to the server, which waits no longer than callPatience.
func (cs *calls) ask(ctx context.Context, prefixes ...string) (context.Context, func()) {
	ctx, done := cs.begin(ctx, prefixes...)
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	return ctx, func() {
		cancel()
		done()
	}
}

func (cs *calls) deny(denied *PermissionError) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if denied.Operation == subscribe {
		cs.inbox = denied
	}
	for one := range cs.waiting {
		if denied.Operation == subscribe || one.publishes(denied.Subject) {
			one.cancel(denied)
		}
	}
}

func (cs *calls) disconnect() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.inbox = nil
	for one := range cs.waiting {
		if !one.resumes {
			one.cancel(errDisconnected)
		}
	}
}

func (c *call) publishes(subject string) bool {
	for _, prefix := range c.subjects {
		if strings.HasPrefix(subject, prefix) {
			return true
		}
	}
	return false
}

const (
	publish   = "publish"
	subscribe = "subscribe"
)

// parseViolation reads the server's words, e.g. `Permissions Violation for Publish to "a.b"` (nats-server 2.15, client.go).
func parseViolation(err error) *PermissionError {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	found := regexp.MustCompile(`(Publish|Subscription) to "([^"]*)"`).FindStringSubmatch(err.Error())
	if found == nil {
		return &PermissionError{Operation: publish, Subject: "an unnamed subject"}
	}
	if found[1] == "Subscription" {
		return &PermissionError{Operation: subscribe, Subject: found[2]}
	}
	return &PermissionError{Operation: publish, Subject: found[2]}
}

// JetStream is for the control plane, whose buckets are its own. Make requests in Call, so that what the server refuses is heard.
//
//nolint:ireturn // nats.go hands out interfaces
func (c *Conn) JetStream() jetstream.JetStream { return c.js }

// Call runs fn, which makes one request, or a few that are one question, at most 5 seconds long. The context of fn ends at once when the
// connection breaks or the server denies a request to a subject with one of the prefixes. Errors begin with what; *PermissionError,
// *TopologyError when what was asked for does not exist, *ConnectError when the connection is closed for good.
func (c *Conn) Call(ctx context.Context, what string, prefixes []string, fn func(context.Context) error) error {
	ctx, done := c.calls.ask(ctx, prefixes...)
	defer done()
	return c.explain(ctx, what, fn(ctx))
}

// explain says what a call was about and why it failed: what ended its context goes before the context's own error.
func (c *Conn) explain(ctx context.Context, what string, err error) error {
	cause := context.Cause(ctx)
	var denied *PermissionError
	switch {
	case err == nil:
		return nil
	case errors.As(cause, &denied), errors.Is(cause, errDisconnected):
		return fmt.Errorf("%s: %w", what, cause)
	case errors.Is(err, nats.ErrReconnectBufExceeded): // we have no such buffer: nothing is sent while there is no connection
		return fmt.Errorf("%s: %w", what, errDisconnected)
	case errors.Is(err, nats.ErrConnectionClosed):
		return &ConnectError{Server: c.server, Cause: c.lastError(err), Remedy: remedyAuth, Code: 2}
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrBucketNotFound):
		return fmt.Errorf("%s: %w", what, &TopologyError{Differences: []string{err.Error()}})
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// lastError is why the connection was closed for good: the server refused us twice, because nothing else ends it.
func (c *Conn) lastError(err error) error {
	if last := c.nc.LastError(); last != nil {
		return last //nolint:wrapcheck // explain wraps it
	}
	return err
}
