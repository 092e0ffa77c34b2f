package webhook

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"juliu/pkg/sink"
)

// maxRetryAfter bounds what a receiver may ask for, so that a slip of its pen does not stop the loading for days.
const maxRetryAfter = 15 * time.Minute

// answered is what a status means for a message; the package comment has the table.
func (s *Sink) answered(m message, status int, header http.Header) error {
	wait := retryAfter(header.Get("Retry-After"), s.now())
	switch {
	case status >= 200 && status < 300 && status != http.StatusMultiStatus:
		s.failing.end()
		s.refusing.end()
		return nil
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return s.refused(m, status)
	case status >= 300 && status < 400:
		return s.unavailable(0, "answers HTTP %d, a redirect, which is never followed: set LOADER_WEBHOOK_URL to where it leads", status)
	case status == http.StatusUnauthorized:
		return s.unavailable(0, "answers HTTP 401: give it the secret of LOADER_WEBHOOK_SECRET, and compare its clock with this machine's")
	case status == http.StatusProxyAuthRequired:
		return s.unavailable(0, "answers HTTP 407, as a proxy does: let the loader reach the receiver without one")
	case status == http.StatusGone:
		return s.unavailable(0, "answers HTTP 410, gone for good: nothing is lost while loading pauses; put it back into service, or change LOADER_WEBHOOK_URL")
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return s.unavailable(wait, "answers HTTP %d: it cannot take more now; if that stays, lower LOADER_WORKERS", status)
	}
	return s.doubtful(m.id, wait, fmt.Sprintf("answers HTTP %d to webhook-id %s: %s", status, m.id, remedy(status)))
}

// refused is a message that the receiver will never take. For several records it decides nothing yet: each is then sent alone.
func (s *Sink) refused(m message, status int) error {
	if m.records == 1 && s.refusing.fail(m.id) {
		return s.unavailable(0, "answers HTTP %d to one event after the other and takes none, last to webhook-id %s: see its log; "+
			"give it the secret of LOADER_WEBHOOK_SECRET, and compare its clock with this machine's", status, m.id)
	}
	return fmt.Errorf("%w: %s answers HTTP %d; its log says why, under webhook-id %s", sink.ErrRejected, s.host, status, m.id)
}

// remedy is what to look at after a status that does not tell whether the event or the receiver is the cause.
func remedy(status int) string {
	switch status {
	case http.StatusMultiStatus:
		return "let it answer 2xx when all events of the request are stored, and an error otherwise"
	case http.StatusForbidden:
		return "let it, and the firewall before it, take requests from this machine"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return "check the path in LOADER_WEBHOOK_URL; it must take POST of application/json"
	default:
		return "see its log"
	}
}

// unanswered is what a request without an answer means. Nothing of the error's own text is shown: it may quote the URL or the answer.
func (s *Sink) unanswered(id string, connected bool, err error) error {
	forbidden, isForbidden := errors.AsType[*addressError](err)
	name, isName := errors.AsType[*net.DNSError](err)
	operation, isOperation := errors.AsType[*net.OpError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isStrange := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case isForbidden:
		return s.unavailable(0, "is not dialled: %v", forbidden)
	case isName && name.IsNotFound:
		return s.unavailable(0, "is not found: check the host in LOADER_WEBHOOK_URL and the name server")
	case isName:
		return s.unavailable(0, "cannot be looked up: the name server gives no answer")
	case isOperation && operation.Op == "dial":
		return s.unavailable(0, "cannot be reached: %s; start it, or check its port and the firewalls on the way", dialFault(operation))
	case isCertificate:
		return s.unavailable(0, "has a certificate that is not trusted: renew it, or name its authority's file in SSL_CERT_FILE")
	case isStrange, errors.Is(err, http.ErrSchemeMismatch), isOperation && operation.Op == "remote error":
		return s.unavailable(0, "does not speak TLS 1.2 or newer there: check the port in LOADER_WEBHOOK_URL")
	}
	timeout, isTimeout := errors.AsType[net.Error](err)
	isTimeout = isTimeout && timeout.Timeout()
	switch {
	case !connected && isTimeout:
		return s.unavailable(0, "does not open a TLS connection in time: see its log, and that of what stands before it")
	case !connected:
		return s.unavailable(0, "breaks every connection before TLS is open: see its log, and that of what stands before it")
	}
	fault := "breaks the connection before it answers"
	if isTimeout {
		fault = "does not answer in time"
	}
	return s.doubtful(id, 0, fault+" to webhook-id "+id+": see its log")
}

// dialFault is why a connection cannot be opened.
func dialFault(err *net.OpError) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if err.Timeout() {
		return "no answer"
	}
	return "no connection"
}

// unavailable is a fault of the receiver as a whole.
func (s *Sink) unavailable(wait time.Duration, format string, facts ...any) error {
	return &sink.UnavailableError{Cause: errors.New(s.host + " " + fmt.Sprintf(format, facts...)), RetryAfter: wait}
}

// doubtful is a fault of the message or of the receiver.
func (s *Sink) doubtful(id string, wait time.Duration, fault string) error {
	if s.failing.fail(id) {
		return s.unavailable(wait, "fails at one event after the other: it %s", fault)
	}
	return errors.New("deliver: " + s.host + " " + fault)
}

// retryAfter reads the header of that name, seconds or a date: 0 when there is nothing to wait for, at most maxRetryAfter.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		wait = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
