package jushuitan

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind says what went wrong with a call, in terms of what can be done about it. Its text is stable and serves as a metric label.
type Kind string

// Kinds of answers in which the API refuses a call.
const (
	// Signature: the app secret does not belong to the app key.
	Signature Kind = "signature"
	// TokenExpired: the access token is missing, unknown or expired.
	TokenExpired Kind = "token_expired"
	// IPNotAllowed: this machine's public address, in [Error.IP], is not on the app's whitelist.
	IPNotAllowed Kind = "ip_not_allowed"
	// NotGranted: the app has no right to this interface.
	NotGranted Kind = "not_granted"
	// ClockSkew: this machine's clock is too far from the server's, see [Error.Skew].
	ClockSkew Kind = "clock_skew"
	// RateLimitedSecond: more calls within a second than the API allows.
	RateLimitedSecond Kind = "rate_limited_second"
	// RateLimitedMinute: more calls within a minute than the API allows.
	RateLimitedMinute Kind = "rate_limited_minute"
	// BadParameter: a parameter is missing or has a value that the API does not take.
	BadParameter Kind = "bad_parameter"
	// UnknownShop: the shop_id does not exist.
	UnknownShop Kind = "unknown_shop"
	// RefreshForbidden: apps of this type may not refresh their token.
	RefreshForbidden Kind = "refresh_forbidden"
	// Internal: the API failed by its own account.
	Internal Kind = "internal"
	// Unknown: a refusal that this package does not know; Code and Msg say what the API said.
	Unknown Kind = "unknown"
)

// Kinds of failures below the API.
const (
	// Unreachable: no connection, or it broke before the answer began.
	Unreachable Kind = "unreachable"
	// Timeout: no complete answer within [Config.Timeout].
	Timeout Kind = "timeout"
	// HTTPStatus: an HTTP status that is not 200, in [Error.HTTPStatus].
	HTTPStatus Kind = "http_status"
	// NotJSON: HTTP 200 with something that is not the API's envelope, e.g. a web page of a gateway or a proxy.
	NotJSON Kind = "not_json"
	// Cut: the answer ends early or its compression is broken.
	Cut Kind = "cut"
	// TooLarge: the answer has more than 32 MiB.
	TooLarge Kind = "too_large"
	// Redirected: the address answers with a redirect, which is never followed because it would carry the credentials elsewhere.
	Redirected Kind = "redirected"
)

// Error is a call that failed. Reach it with errors.As and decide by Kind. It never contains a secret, a token, a signature or the
// query of an address.
type Error struct {
	// Gateway is the gateway called.
	Gateway Gateway
	// Endpoint is the [Endpoint.Name], or the name of the token call.
	Endpoint string
	// Kind is the class of the failure.
	Kind Kind
	// Code is the vendor's code; 0 when there was none.
	Code int
	// Msg is the vendor's text, or for [NotJSON] what came in its place: at most 200 runes, no control characters, secrets and runs of
	// eleven and more digits masked.
	Msg string
	// HTTPStatus is the status of the answer; 0 without an answer.
	HTTPStatus int
	// RetryAfter is how long to wait before any further call, by the server's word; 0 when unsaid. It is 0 for refusals for rate, HTTP 429
	// among them, whatever the server said: the Client itself holds the next call back until it may go, so try again at once.
	RetryAfter time.Duration
	// IP is the caller's address as the API saw it, for [IPNotAllowed]; "" when unsaid.
	IP string
	// Skew is how far this machine's clock is ahead of the server's Date, for [ClockSkew]; 0 when unknown.
	Skew time.Duration
	// Cause is the transport's error, for the kinds below the API. Its own text is not masked; Error's is.
	Cause error

	detail string // the masked text of Cause
}

// Error is one line: what was called, what went wrong, the vendor's code and text.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "query %s on %s", e.Endpoint, e.Gateway)
	if e.Kind != HTTPStatus {
		text.WriteString(": " + strings.ReplaceAll(string(e.Kind), "_", " "))
	}
	if e.HTTPStatus != 0 && e.HTTPStatus != http.StatusOK {
		fmt.Fprintf(&text, ": HTTP %d", e.HTTPStatus)
	}
	if e.Code != 0 {
		fmt.Fprintf(&text, ": code %d", e.Code)
	}
	for _, part := range []string{e.Msg, e.detail} {
		if part != "" {
			text.WriteString(": " + part)
		}
	}
	return text.String()
}

// Unwrap is Cause.
func (e *Error) Unwrap() error { return e.Cause }

// limited says that the API refused the call because there were too many.
func (e *Error) limited() bool {
	return e.Kind == RateLimitedSecond || e.Kind == RateLimitedMinute || e.HTTPStatus == http.StatusTooManyRequests
}

// Retryable reports that the same call may succeed later without anybody doing anything. Wait at least RetryAfter. It is false for
// TokenExpired, where one RefreshToken and one more try are due, and for Unknown, where the caller decides how often to try.
func (e *Error) Retryable() bool {
	switch e.Kind {
	case RateLimitedSecond, RateLimitedMinute, Internal, Unreachable, Timeout, NotJSON, Cut:
		return true
	case HTTPStatus:
		return e.HTTPStatus >= http.StatusInternalServerError || e.HTTPStatus == http.StatusTooManyRequests ||
			e.HTTPStatus == http.StatusRequestTimeout
	default:
		return false
	}
}
