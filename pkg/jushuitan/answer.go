package jushuitan

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"
)

// reply is a successful answer: HTTP 200, a whole JSON object, code 0.
type reply struct {
	members map[string][]byte // the answer's own members
	data    map[string][]byte // those of its data; the answer's own when there is none
	date    time.Time
	refuse  func(Kind, string) *Error // an error about this answer, for whom its content does not suit
}

// answer is what is needed to name an error of one call.
type answer struct {
	gateway Gateway
	name    string
	sentAt  time.Time
	hidden  []string
	status  int
	header  http.Header
}

func (a *answer) read(res *resty.Response, err error) (reply, error) {
	if res == nil || res.RawResponse == nil {
		return reply{}, a.broken(Unreachable, err)
	}
	a.status, a.header = res.StatusCode(), res.Header()
	switch {
	case a.status != http.StatusOK:
		return reply{}, a.badStatus(res.Body())
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return reply{}, a.broken(TooLarge, err)
	case err != nil:
		return reply{}, a.broken(Cut, err)
	}
	return a.unwrap(res.Body())
}

func (a *answer) unwrap(body []byte) (reply, error) {
	members, err := object(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if errors.Is(err, errCut) {
		return reply{}, a.fail(Cut, fmt.Sprintf("the answer ends after %d bytes", len(body)))
	}
	code, convErr := strconv.Atoi(scalar(members["code"]))
	if err != nil || convErr != nil {
		return reply{}, a.fail(NotJSON, a.describe(body))
	}
	success := flag(members["issuccess"])
	if code != 0 || success != nil && !*success {
		return reply{}, a.refusal(code, members)
	}
	r := reply{members: members, data: members, date: a.date(), refuse: a.fail}
	if data := members["data"]; len(data) != 0 && string(data) != "null" {
		if r.data, err = object(data); err != nil {
			return reply{}, a.fail(NotJSON, "data is not an object")
		}
	}
	return r, nil
}

// refusal is the error of an answer with a code.
func (a *answer) refusal(code int, members map[string][]byte) *Error {
	text := scalar(members["msg"])
	if text == "" {
		text = scalar(members["message"])
	}
	e := a.fail(kindOf(a.gateway, code, text), text)
	e.Code = code
	switch e.Kind {
	case IPNotAllowed:
		e.IP = findIP(text)
	case ClockSkew:
		if date := a.date(); !date.IsZero() {
			e.Skew = a.sentAt.Sub(date).Round(time.Second)
		}
	default:
	}
	return e
}

// badStatus is the error of a status other than 200. A refusal of the API itself tells more than its status, except where the status
// says that somebody in between gave the answer.
func (a *answer) badStatus(body []byte) *Error {
	if a.status >= 300 && a.status < 400 {
		target, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			target = &url.URL{}
		}
		return a.fail(Redirected, "to host "+target.Host)
	}
	e := a.fail(HTTPStatus, a.describe(body))
	members, err := object(body)
	code, convErr := strconv.Atoi(scalar(members["code"]))
	if err != nil || convErr != nil || code == 0 {
		return e
	}
	if refused := a.refusal(code, members); !e.Retryable() && refused.Kind != Unknown {
		return refused
	}
	e.Code = code
	return e
}

// broken is the error of an answer that did not arrive whole.
func (a *answer) broken(kind Kind, err error) *Error {
	// url.Error prints the address with its query, where the partner gateway wants token and signature.
	for wrapped, ok := errors.AsType[*url.Error](err); ok; wrapped, ok = errors.AsType[*url.Error](err) {
		err = wrapped.Err
	}
	timeout, ok := errors.AsType[net.Error](err)
	if ok && timeout.Timeout() {
		kind = Timeout
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		kind = Unreachable // also when it took long: nobody is there to answer
	}
	e := a.fail(kind, "")
	e.Cause = err
	e.detail = clean(err.Error(), a.hidden)
	return e
}

func (a *answer) fail(kind Kind, text string) *Error {
	return &Error{
		Gateway: a.gateway, Endpoint: a.name, Kind: kind, HTTPStatus: a.status,
		Msg: clean(text, a.hidden), RetryAfter: a.retryAfter(),
	}
}

// describe names a body that is not the API's. Of its content only a web page's title is shown: the rest may hold personal data.
func (a *answer) describe(body []byte) string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		kind = "untyped"
	}
	text := fmt.Sprintf("%s answer of %d bytes", kind, len(body))
	title := regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title`).FindSubmatch(body)
	if title != nil {
		text += ": " + string(title[1])
	}
	return text
}

// date is the server's clock; zero when it sent none.
func (a *answer) date() time.Time {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date.UTC()
}

// retryAfter is the server's hint, as seconds or as a date by its own clock, at most an hour.
func (a *answer) retryAfter() time.Duration {
	hint := a.header.Get("Retry-After")
	wait := seconds(hint)
	if until, err := http.ParseTime(hint); err == nil {
		from := a.date()
		if from.IsZero() {
			from = a.sentAt
		}
		wait = until.Sub(from)
	}
	return min(max(wait, 0), time.Hour)
}
