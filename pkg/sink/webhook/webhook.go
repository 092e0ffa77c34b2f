package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 90 * time.Second
	// keepIdle is as many connections as a loader has workers.
	keepIdle = 64
	// batchWait is how long an event may wait for others to share its request.
	batchWait = time.Second
	// maxAnswer bounds an answer's header and what is read of its body, in bytes.
	maxAnswer = 64 << 10
)

// Sink posts records to one receiver. It is safe for concurrent use.
type Sink struct {
	url    string
	host   string // all of the URL that errors may show
	signer signer
	batch  int
	now    func() time.Time
	// failing and refusing are the messages since the last success that failed, and that were refused for good.
	failing, refusing streak
	closed            atomic.Bool

	transport *http.Transport
	http      *resty.Client
}

// New returns a sink; it does not connect. The error joins a *ConfigError for each part of cfg that cannot be used.
func New(cfg Config) (*Sink, error) {
	p, wrong := cfg.parse()
	if len(wrong) > 0 {
		all := make([]error, len(wrong))
		for i, e := range wrong {
			all[i] = e
		}
		return nil, fmt.Errorf("set up the webhook: %w", errors.Join(all...))
	}
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: p.guard.control}
	transport := &http.Transport{
		// No Proxy: it would connect in our place, unchecked. No HTTP/2: one dead connection would take every worker with it.
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    keepIdle,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswer,
	}
	return &Sink{
		url: p.url.String(), host: p.url.Host, signer: p.signer, batch: cfg.Batch, now: p.now,
		failing: streak{limit: isDown}, refusing: streak{limit: isDeaf},
		transport: transport, http: httpClient(transport, p.timeout),
	}, nil
}

// httpClient keeps resty to sending: it gets no cookie jar, no retries, no result decoding and no logger, and follows no redirect.
func httpClient(transport http.RoundTripper, timeout time.Duration) *resty.Client {
	return resty.NewWithClient(&http.Client{
		Transport:     stay{transport},
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).
		SetLogger(silence{}).
		SetHeader("User-Agent", "juliu").
		SetHeader("Content-Type", "application/json").
		SetDoNotParseResponse(true) // the body is bounded and dropped in post
}

// stay takes the header Location out of answers: what cannot be read in it would be an error of the request, and nothing follows it.
type stay struct{ http.RoundTripper }

func (s stay) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := s.RoundTripper.RoundTrip(request)
	if err == nil {
		answer.Header.Del("Location")
	}
	return answer, err //nolint:wrapcheck // post words it
}

// silence drops what resty would print to standard error by itself.
type silence struct{}

func (silence) Errorf(string, ...any) {}
func (silence) Warnf(string, ...any)  {}
func (silence) Debugf(string, ...any) {}

// Write posts the batch in one request; nil means that the receiver answered that it has it. What the errors mean stands in the
// package comment. No error shows more of the URL than its host, nor anything of a record or an answer.
func (s *Sink) Write(ctx context.Context, batch []record.Record) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the contract of a sink
	}
	if s.closed.Load() {
		return fmt.Errorf("deliver to %s: %w", s.host, sink.ErrClosed)
	}
	if len(batch) > s.batch { // a receiver that expects one event must not get one of several
		return fmt.Errorf("deliver to %s: %d records at once, want at most %d; nothing was sent", s.host, len(batch), s.batch)
	}
	m, failed := compose(batch, s.batch > 1)
	if len(failed) == len(batch) {
		return &sink.BatchError{Failed: failed}
	}
	if err := s.post(ctx, m); err != nil {
		return err
	}
	if len(failed) > 0 {
		return &sink.BatchError{Failed: failed}
	}
	return nil
}

// post sends a message and reads what the answer means for it.
func (s *Sink) post(ctx context.Context, m message) error {
	now := s.now()
	var connected atomic.Bool // else nothing of the message was sent
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	request := s.http.R().SetContext(httptrace.WithClientTrace(ctx, trace)).SetBody(m.body).
		SetHeader("Webhook-Id", m.id).
		SetHeader("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10)).
		// It also lets the transport send again on a new connection what an idle one, closed meanwhile, did not take.
		SetHeader("Idempotency-Key", m.id)
	if m.version != "" {
		request.SetHeader("X-Juliu-Version", m.version)
	}
	if signature := s.signer.sign(m.id, now, m.body); signature != "" {
		request.SetHeader("Webhook-Signature", signature)
	}
	answer, err := request.Post(s.url)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("deliver to %s: %w", s.host, ctx.Err())
	case err != nil:
		return s.unanswered(m.id, connected.Load(), err)
	}
	if answer.StatusCode() != http.StatusSwitchingProtocols { // after which no timeout and no context would end the reading
		_, _ = io.CopyN(io.Discard, answer.RawBody(), maxAnswer) // a connection is used again when its answer was read to the end
	}
	_ = answer.RawBody().Close()
	return s.answered(m, answer.StatusCode(), answer.Header())
}

// Batch is up to as many records as configured. One that may be more than one waits a second for others.
func (s *Sink) Batch() sink.Batch {
	if s.batch == 1 {
		return sink.Batch{Records: 1}
	}
	return sink.Batch{Records: s.batch, Wait: batchWait}
}

// Close ends the writing and closes the connections.
func (s *Sink) Close(context.Context) error {
	s.closed.Store(true)
	s.transport.CloseIdleConnections()
	return nil
}

// String names the receiver's host, without the secrets that fmt would otherwise print from the unexported fields.
func (s *Sink) String() string { return "webhook to " + s.host }

// GoString is String, for %#v.
func (s *Sink) GoString() string { return s.String() }
