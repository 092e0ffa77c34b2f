package webhook_test

import (
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // http.Server takes no other
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink/webhook"
)

// silent drops what a test's server has to say.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// canaries must never be shown.
func canaries() []string {
	return []string{"张三丰", "13800138000", "莫干山路", urlToken, strings.TrimPrefix(aSecret, "whsec_"), "answer-canary"}
}

func assertClean(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			for _, canary := range canaries() {
				if text := fmt.Sprintf(verb, cause); strings.Contains(text, canary) {
					t.Errorf("%s is shown: %s", canary, text)
				}
			}
		}
	}
}

func TestNoErrorShowsWhatIsSecretOrPersonal(t *testing.T) {
	t.Parallel()
	person := order(t, 1, 1, `,"receiver_name":"张三丰","receiver_mobile":"13800138000","receiver_address":"莫干山路 1"`)
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", r.URL.String()+"answer-canary")
			w.Header().Set("Retry-After", "answer-canary")
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
	}
	handlers := map[string]http.HandlerFunc{"broken": func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c, _, _ := http.NewResponseController(w).Hijack()
		_, _ = c.Write(append([]byte("answer-canary "), body...))
		_ = c.Close()
	}}
	for _, status := range []int{207, 302, 400, 401, 403, 404, 407, 410, 422, 429, 500, 503} {
		handlers[strconv.Itoa(status)] = echo(status)
	}
	for name, handle := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, config(serve(t, handle)))
			for range 3 {
				assertClean(t, s.Write(t.Context(), []record.Record{person}))
			}
		})
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, s := range map[string]*webhook.Sink{
		"refused":    open(t, config(closed.URL)),
		"not public": open(t, config("https://localhost:1")),
		"no name":    open(t, config("https://receiver.invalid")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertClean(t, s.Write(t.Context(), []record.Record{person}))
		})
	}
}

func TestNeitherConfigNorSinkShowsItsSecrets(t *testing.T) {
	t.Parallel()
	cfg := config("http://127.0.0.1")
	for _, shown := range []any{cfg, &cfg, open(t, cfg)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, shown)
			for _, canary := range canaries() {
				if strings.Contains(text, canary) {
					t.Errorf("%s of %T shows %s: %s", verb, shown, canary, text)
				}
			}
		}
	}
	for _, url := range []string{
		"https://user:" + urlToken + "@host.example/", "ftp://host.example/" + urlToken, "https://host.example/" + urlToken + "%zz",
		"https://" + urlToken + ".127.1/", "https://host.example/#" + urlToken, urlToken, "https://10.0.0.1/" + urlToken,
	} {
		_, err := webhook.New(webhook.Config{URL: secret.New(url), Secret: secret.New(aSecret + "x"), Allow: "!" + urlToken, Batch: 1})
		assertClean(t, err)
		_, err = webhook.New(webhook.Config{URL: secret.New(url), Secret: secret.New(aSecret), Batch: 1})
		assertClean(t, err)
	}
}

func TestNoGoroutineStaysBehind(t *testing.T) {
	t.Parallel()
	if os.Getenv("JULIU_TEST_ALONE") == "" { // other tests' goroutines would be counted
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "JULIU_TEST_ALONE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.Header.Get("X-Juliu-Version") {
		case "1":
			_, _ = io.CopyN(w, endless{}, 100<<20)
		case "2":
			<-r.Context().Done()
		}
	}))
	before := runtime.NumGoroutine()
	for version, timeout := range map[int]time.Duration{1: time.Minute, 2: 50 * time.Millisecond, 3: time.Minute} {
		s, err := webhook.New(config(server.URL, func(c *webhook.Config) { c.Timeout = timeout }))
		if err != nil {
			t.Fatal(err)
		}
		for key := range 10 {
			_ = s.Write(t.Context(), []record.Record{order(t, key+1, version)})
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deadline, tick := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		case <-tick.C:
		}
	}
}
