package webhook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink"
	"juliu/pkg/sink/webhook"
)

// meaning tells an error as the loader reads it: stored, rejected, again or pause, and the wait of a pause.
func meaning(err error) (string, time.Duration) {
	down, isDown := errors.AsType[*sink.UnavailableError](err)
	switch {
	case err == nil:
		return "stored", 0
	case isDown:
		return "pause", down.RetryAfter
	case errors.Is(err, sink.ErrRejected):
		return "rejected", 0
	default:
		return "again", 0
	}
}

func TestStatusSaysWhatBecomesOfTheEvent(t *testing.T) {
	t.Parallel()
	for means, statuses := range map[string]map[int]string{
		"stored":   {200: "", 201: "", 202: "", 204: ""},
		"rejected": {400: "webhook-id evt_", 413: "webhook-id evt_", 422: "webhook-id evt_"},
		"pause": {
			300: "set LOADER_WEBHOOK_URL to where it leads", 301: "redirect", 302: "redirect", 303: "redirect", 307: "redirect", 308: "redirect",
			401: "give it the secret of LOADER_WEBHOOK_SECRET", 407: "without one", 410: "gone for good", 429: "lower LOADER_WORKERS", 503: "cannot take more",
		},
		"again": {
			207: "answer 2xx when all events", 402: "see its log", 403: "firewall", 404: "check the path in LOADER_WEBHOOK_URL",
			405: "check the path", 408: "see its log", 409: "see its log", 415: "check the path", 418: "see its log", 425: "see its log",
			500: "see its log", 501: "see its log", 502: "see its log", 504: "see its log", 599: "webhook-id evt_",
		},
	} {
		for status, says := range statuses {
			t.Run(fmt.Sprintf("%d is %s", status, means), func(t *testing.T) {
				t.Parallel()
				hits := 0
				url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					hits++
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(status)
				})
				err := open(t, config(url)).Write(t.Context(), []record.Record{order(t, 1, 1)})
				if got, _ := meaning(err); got != means || err != nil && !strings.Contains(err.Error(), says) {
					t.Errorf("%s: %v; want it %s, with %q", got, err, means, says)
				}
				if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%s answers HTTP %d", strings.TrimPrefix(url, "http://"), status)) {
					t.Errorf("%v does not say who answers what", err)
				}
				if hits != 1 {
					t.Errorf("%d requests, want 1: a redirect is not followed, nothing is retried here", hits)
				}
			})
		}
	}
}

func TestRetryAfterIsHonouredAndBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                                 0,
		"0":                                0,
		"7":                                7 * time.Second,
		" 7 ":                              7 * time.Second,
		"900":                              15 * time.Minute,
		"901":                              15 * time.Minute,
		"18446744073709551616":             15 * time.Minute,
		"9223372036854775807":              15 * time.Minute,
		"-1":                               0,
		"1.5":                              0,
		"soon":                             0,
		"Sat, 31 Jan 2026 16:02:00 GMT":    2 * time.Minute,
		"Saturday, 31-Jan-26 16:02:00 GMT": 2 * time.Minute,
		"Sat Jan 31 16:02:00 2026":         2 * time.Minute,
		"Sat, 31 Jan 2026 15:00:00 GMT":    0,
		"Fri, 31 Jan 2227 16:02:00 GMT":    15 * time.Minute,
	} {
		if got := webhook.RetryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		for _, status := range []int{429, 503} {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", text)
				w.WriteHeader(status)
			})
			s := open(t, config(url, func(c *webhook.Config) { c.Now = func() time.Time { return now } }))
			err := s.Write(t.Context(), []record.Record{order(t, 1, 1)})
			if means, wait := meaning(err); means != "pause" || wait != want {
				t.Errorf("%d with %q: %s for %s, want a pause of %s", status, text, means, wait, want)
			}
		}
	}
}

func TestAnAnswerWithoutEndIsReadToItsBound(t *testing.T) {
	t.Parallel()
	const size = 100 << 20
	for name, test := range map[string]struct {
		status int
		means  string
	}{"of a success": {200, "stored"}, "of a failure": {500, "again"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan int, 1)
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				n, _ := io.CopyN(w, endless{}, size)
				sent <- int(n)
			})
			err := open(t, config(url)).Write(t.Context(), []record.Record{order(t, 1, 1)})
			if means, _ := meaning(err); means != test.means {
				t.Errorf("%s: %v; want %s", means, err, test.means)
			}
			if n := <-sent; n > 32<<20 { // what the system's buffers take, not what we read
				t.Errorf("the receiver could send %d bytes", n)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAnAnswerThatDoesNotComeCountsAnAttempt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		says   string
	}{
		"too late": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, "does not answer in time to webhook-id evt_"},
		"reset": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = c.Close()
		}, "breaks the connection before it answers"},
		"not HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(c, "张三 13800138000\r\n\r\n")
			_ = c.Close()
		}, "breaks the connection before it answers"},
		"a header without end": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 200 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
			w.WriteHeader(http.StatusOK)
		}, "breaks the connection before it answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config(serve(t, test.handle), func(c *webhook.Config) {
				if name == "too late" {
					c.Timeout = 200 * time.Millisecond
				}
			}))
			err := s.Write(t.Context(), []record.Record{order(t, 1, 1)})
			if means, _ := meaning(err); means != "again" || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "13800138000") {
				t.Errorf("%s: %v; want it again, with %q", means, err, test.says)
			}
		})
	}
}

func TestNoConnectionPausesTheLoading(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came without TLS") })
	trusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(trusted.Close)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = silent()
	old.StartTLS()
	t.Cleanup(old.Close)
	for name, test := range map[string]struct{ url, says string }{
		"refused":              {closed.URL, "cannot be reached: connection refused; start it"},
		"no TLS":               {strings.Replace(plain, "http:", "https:", 1), "does not speak TLS 1.2 or newer there"},
		"TLS 1.1":              {old.URL, "does not speak TLS 1.2 or newer there"},
		"an unknown authority": {trusted.URL, "has a certificate that is not trusted: renew it, or name its authority's file in SSL_CERT_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config(test.url))
			for range 5 {
				err := s.Write(t.Context(), []record.Record{order(t, 1, 1)})
				if means, wait := meaning(err); means != "pause" || wait != 0 || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: %v; want a pause, with %q", means, err, test.says)
				}
			}
		})
	}
}

func TestATrustedCertificateIsEnough(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	server := httptest.NewTLSServer(r)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	s := open(t, config(server.URL))
	s.Trust(pool)
	if err := s.Write(t.Context(), []record.Record{order(t, 1, 1)}); err != nil {
		t.Error(err)
	}
	// The certificate is for 127.0.0.1 and example.com.
	other := open(t, config(strings.Replace(server.URL, "127.0.0.1", "localhost", 1), func(c *webhook.Config) { c.Allow = "localhost" }))
	other.Trust(pool)
	if err := other.Write(t.Context(), []record.Record{order(t, 1, 1)}); err == nil || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("a certificate for another host: %v", err)
	}
}

func TestAProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	s := open(t, webhook.Config{URL: secret.New("http://receiver.invalid/"), Secret: secret.New(aSecret), Allow: "receiver.invalid", Batch: 1})
	if means, _ := meaning(s.Write(t.Context(), []record.Record{order(t, 1, 1)})); means != "pause" {
		t.Errorf("a host that does not exist: %s, want a pause", means)
	}
}

func TestReceiverIsDownWhenDifferentEventsFailInARow(t *testing.T) {
	t.Parallel()
	down := false
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if down || r.Header.Get("X-Juliu-Version") == "666" {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	s := open(t, config(url))
	want := func(step string, key, ts int, want string) {
		t.Helper()
		err := s.Write(t.Context(), []record.Record{order(t, key, ts)})
		means, wait := meaning(err)
		if means != want || (means == "pause") != (wait == 3*time.Second) {
			t.Errorf("%s: %s for %s, %v; want %s", step, means, wait, err, want)
		}
	}
	const poison = 666
	for range 20 {
		want("alone, an event that the receiver chokes on counts its attempts", 1, poison, "again")
		want("others pass", 2, 1, "stored")
	}
	down = true
	want("the first of the outage", 1, 1, "again")
	want("the second", 2, 2, "again")
	want("the second once more", 2, 2, "again")
	want("the third", 3, 3, "pause")
	want("the first once more", 1, 1, "pause")
	down = false
	want("it is back", 3, 3, "stored")
	want("the poison counts again", 1, poison, "again")
	want("and the next", 2, 2, "stored")
}

func TestAnEventThatTheReceiverChokesOnDoesNotHoldAWorkerForEver(t *testing.T) {
	t.Parallel()
	s := open(t, config(serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })))
	for i := range 3 {
		_ = s.Write(t.Context(), []record.Record{order(t, i+1, 1)})
	}
	var counts []int
	for n := range 400 { // one worker, and nothing else in its hand; the first failure was above
		if means, _ := meaning(s.Write(t.Context(), []record.Record{order(t, 3, 1)})); means == "again" {
			counts = append(counts, n+2)
		}
	}
	if want := []int{10, 20, 40, 80, 160, 320}; !slices.Equal(counts, want) {
		t.Errorf("the failures %d counted an attempt, want %d: more and more rarely", counts, want)
	}
}

func TestARequestThatIsCutOffIsNobodysFault(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 10)
	s := open(t, config(serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})))
	for key := range 4 { // more than make a receiver that is down
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		err := s.Write(ctx, []record.Record{order(t, key+1, 1)})
		if means, _ := meaning(err); means != "again" || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v; want context.Canceled", means, err)
		}
		assertClean(t, err)
	}
}
