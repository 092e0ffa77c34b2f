package jushuitan_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"juliu/pkg/jushuitan"
)

const page = `{"code":0,"msg":"执行成功","data":{"page_index":1,"datas":[{"io_id":166,"receiver_name":"张三丰"}]}}`

func write(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// raw answers with the bytes as they are and closes the connection; linger 0 makes the close a reset.
func raw(w http.ResponseWriter, text string, linger int) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, text)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(linger)
	}
	_ = conn.Close()
}

func compress(data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(data)
	_ = w.Close()
	return buf.Bytes()
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	zipped := string(compress([]byte(page)))
	cases := []struct {
		name   string
		answer http.HandlerFunc
		kind   jushuitan.Kind
		retry  bool
		status int
		after  time.Duration
		text   string // stands in the error's text
	}{
		{
			name: "too many requests, with seconds that the client waits by itself",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				write(w, http.StatusTooManyRequests, "text/plain", "slow down")
			},
			kind: jushuitan.HTTPStatus, retry: true, status: 429, text: "HTTP 429",
		},
		{
			name: "unavailable until a date by the server's clock",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", "Mon, 23 Nov 2020 10:00:00 GMT")
				w.Header().Set("Retry-After", "Mon, 23 Nov 2020 10:01:30 GMT")
				write(w, http.StatusServiceUnavailable, "text/plain", "")
			},
			kind: jushuitan.HTTPStatus, retry: true, status: 503, after: 90 * time.Second, text: "HTTP 503",
		},
		{
			name: "a hint of a thousand years",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "31556926000")
				write(w, http.StatusServiceUnavailable, "text/plain", "")
			},
			kind: jushuitan.HTTPStatus, retry: true, status: 503, after: time.Hour,
		},
		{
			name: "a bad gateway's page",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				write(w, http.StatusBadGateway, "text/html", "<html><head><title>502 Bad\nGateway</title></head><body>张三丰</body></html>")
			},
			kind: jushuitan.HTTPStatus, retry: true, status: 502, text: "text/html answer of 78 bytes: 502 Bad Gateway",
		},
		{
			name: "a bad gateway's JSON keeps the status",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				write(w, 502, "application/json", `{"code":130,"msg":"x"}`)
			},
			kind: jushuitan.HTTPStatus, retry: true, status: 502, text: "code 130",
		},
		{
			name:   "not found",
			answer: func(w http.ResponseWriter, _ *http.Request) { write(w, 404, "text/plain", "404 page not found") },
			kind:   jushuitan.HTTPStatus, status: 404,
		},
		{
			name: "forbidden, with the API's own refusal",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				write(w, http.StatusForbidden, "application/json", `{"code":110,"msg":"该IP不在白名单列表：203.0.113.7"}`)
			},
			kind: jushuitan.IPNotAllowed, status: 403, text: "code 110",
		},
		{
			name: "a page in the place of the API",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				write(w, http.StatusOK, "text/html; charset=utf-8", "\n<!DOCTYPE html><TITLE lang=zh>系统维护</TITLE><p>张三丰</p>")
			},
			kind: jushuitan.NotJSON, retry: true, status: 200, text: "text/html answer of 67 bytes: 系统维护",
		},
		{
			name:   "a body of another compression",
			answer: func(w http.ResponseWriter, _ *http.Request) { write(w, 200, "application/json", zipped) },
			kind:   jushuitan.NotJSON, retry: true, status: 200,
		},
		{
			name:   "no body",
			answer: func(http.ResponseWriter, *http.Request) {},
			kind:   jushuitan.Cut, retry: true, status: 200, text: "after 0 bytes",
		},
		{
			name:   "a body cut by the sender, its length right",
			answer: func(w http.ResponseWriter, _ *http.Request) { write(w, 200, "application/json", page[:len(page)-4]) },
			kind:   jushuitan.Cut, retry: true, status: 200,
		},
		{
			name:   "a body cut on the way",
			answer: func(w http.ResponseWriter, _ *http.Request) { raw(w, head+"Content-Length: 500\r\n\r\n"+page, -1) },
			kind:   jushuitan.Cut, retry: true, status: 200, text: "unexpected EOF",
		},
		{
			name: "a chunked body cut between chunks",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				raw(w, head+fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(page), page), -1)
			},
			kind: jushuitan.Cut, retry: true, status: 200, text: "unexpected EOF",
		},
		{
			name:   "a cut body that nothing but its brackets betrays",
			answer: func(w http.ResponseWriter, _ *http.Request) { raw(w, "HTTP/1.0 200 OK\r\n\r\n"+page[:len(page)-2], -1) },
			kind:   jushuitan.Cut, retry: true, status: 200,
		},
		{
			name: "a reset in the body",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "500")
				_, _ = io.WriteString(w, page)
				_ = http.NewResponseController(w).Flush()
				raw(w, "", 0)
			},
			kind: jushuitan.Cut, retry: true, status: 200,
		},
		{
			name: "a compressed body cut on the way",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				write(w, 200, "application/json", zipped[:len(zipped)-12])
			},
			kind: jushuitan.Cut, retry: true, status: 200,
		},
		{
			name: "a plain body called compressed",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				write(w, 200, "application/json", page)
			},
			kind: jushuitan.Cut, retry: true, status: 200, text: "gzip",
		},
		{
			name:   "no answer before the connection closes",
			answer: func(w http.ResponseWriter, _ *http.Request) { raw(w, "", -1) },
			kind:   jushuitan.Unreachable, retry: true,
		},
		{
			name:   "a reset before the answer",
			answer: func(w http.ResponseWriter, _ *http.Request) { raw(w, "", 0) },
			kind:   jushuitan.Unreachable, retry: true,
		},
		{
			name:   "an answer that is not HTTP",
			answer: func(w http.ResponseWriter, _ *http.Request) { raw(w, "220 mail ready\r\n\r\n", -1) },
			kind:   jushuitan.Unreachable, retry: true, text: "malformed HTTP",
		},
	}
	for _, gateway := range gateways() {
		for _, c := range cases {
			t.Run(string(gateway)+" answers with "+c.name, func(t *testing.T) {
				t.Parallel()
				_, err := connect(t, gateway, c.answer).Query(t.Context(), jushuitan.SalesOut(), nil)
				e := failure(t, err)
				if e.Kind != c.kind || e.Retryable() != c.retry || e.HTTPStatus != c.status || e.RetryAfter != c.after {
					t.Errorf("got %s, retryable %t, status %d, after %s: %v", e.Kind, e.Retryable(), e.HTTPStatus, e.RetryAfter, e)
				}
				if !strings.Contains(e.Error(), c.text) || strings.Contains(e.Error(), "张三丰") {
					t.Errorf("got %q, want %q in it and no name", e, c.text)
				}
				if e.Remedy() == "" {
					t.Error("no remedy")
				}
				assertClean(t, err)
			})
		}
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"before the answer": "",
		"within the body":   page[:20],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil || begin == "" {
					<-r.Context().Done()
					return
				}
				write(w, http.StatusOK, "application/json", begin)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}))
			t.Cleanup(server.Close)
			cfg := config(jushuitan.Partner, server.URL)
			cfg.Timeout = 100 * time.Millisecond
			_, err := newClient(t, cfg).Query(t.Context(), jushuitan.SalesOut(), nil)
			if e := failure(t, err); e.Kind != jushuitan.Timeout || !e.Retryable() {
				t.Errorf("got %v", e)
			}
			assertClean(t, err)

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			cfg.Timeout = time.Minute
			_, err = newClient(t, cfg).Query(ctx, jushuitan.SalesOut(), nil)
			if _, ok := errors.AsType[*jushuitan.Error](err); ok || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the caller's own deadline", err)
			}
			assertClean(t, err)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	for _, gateway := range gateways() {
		_, err := newClient(t, config(gateway, server.URL)).Query(t.Context(), jushuitan.SalesOut(), nil)
		if e := failure(t, err); e.Kind != jushuitan.Unreachable || !e.Retryable() {
			t.Errorf("got %v", e)
		}
		assertClean(t, err)
	}
}

func TestACertificateNobodySignedIsRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	t.Cleanup(server.Close)
	_, err := newClient(t, config(jushuitan.Partner, server.URL)).Query(t.Context(), jushuitan.SalesOut(), nil)
	if e := failure(t, err); e.Kind != jushuitan.Unreachable || !strings.Contains(e.Error(), "certificate") {
		t.Errorf("got %v", e)
	}
	assertClean(t, err)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, gateway := range gateways() {
			c := connect(t, gateway, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+"/x?"+r.URL.RawQuery, status)
			}))
			_, err := c.Query(t.Context(), jushuitan.SalesOut(), nil)
			e := failure(t, err)
			if e.Kind != jushuitan.Redirected || e.Retryable() || e.Msg != "to host "+strings.TrimPrefix(other.URL, "http://") {
				t.Errorf("%d: got %v", status, e)
			}
			assertClean(t, err)
		}
	}
}

func TestHugeAnswersAreRefused(t *testing.T) {
	t.Parallel()
	const blanks = 1 << 20
	huge := append([]byte(page), bytes.Repeat([]byte(" "), 32<<20)...)
	zipped := append(compress([]byte(page)), bytes.Repeat(compress(huge[len(page):][:blanks]), 32<<20/blanks)...)
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		ok       bool
	}{
		"by inflation":              {"gzip", zipped, false},
		"unless within the limit":   {"", huge[:32<<20], true},
		"unless small and inflated": {"gzip", compress([]byte(page)), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				_, _ = w.Write(c.body)
			}))
			t.Cleanup(server.Close)
			cfg := config(jushuitan.OpenAPI, server.URL)
			cfg.Timeout = time.Minute
			got, err := newClient(t, cfg).Query(t.Context(), jushuitan.SalesOut(), nil)
			if c.ok {
				if err != nil || len(got.Rows) != 1 {
					t.Errorf("got %s, %v", got, err)
				}
				return
			}
			if e := failure(t, err); e.Kind != jushuitan.TooLarge || e.Retryable() {
				t.Errorf("got %v", e)
			}
		})
	}
}
