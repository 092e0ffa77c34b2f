package loader_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/secret"
	"juliu/pkg/setting"
	"juliu/pkg/sink/webhook"
	"juliu/services/loader"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestWebhookSettingsThatCannotBeUsedAreToldAtOnce(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte(webhookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const url, secretEnv = "LOADER_WEBHOOK_URL", "LOADER_WEBHOOK_SECRET"
	for name, test := range map[string]struct {
		env  map[string]string
		says []string
	}{
		"nothing is set": {nil, []string{
			"LOADER_WEBHOOK_URL is not set; set it to where events are posted, e.g. https://erp.example/juliu", "LOADER_WEBHOOK_SECRET is not set; write whsec_",
		}},
		"all is well":      {map[string]string{url: "https://erp.example/token-5d41", secretEnv: webhookSecret}, nil},
		"all is in files":  {map[string]string{url: "https://erp.example/", secretEnv + "_FILE": file}, nil},
		"unsigned by wish": {map[string]string{url: "https://erp.example/", secretEnv: "none"}, nil},
		"plain http": {map[string]string{url: "http://erp.internal/token-5d41", secretEnv: webhookSecret}, []string{
			"LOADER_WEBHOOK_URL is not https; use https; for a receiver inside your own network list its host in LOADER_WEBHOOK_ALLOW",
		}},
		"plain http inside": {map[string]string{url: "http://erp.internal/token-5d41", secretEnv: webhookSecret, "LOADER_WEBHOOK_ALLOW": "erp.internal"}, nil},
		"all is wrong": {map[string]string{url: "https://u:token-5d41@erp.example/", secretEnv: "token-5d41", "LOADER_WEBHOOK_BATCH": "1000"}, []string{
			"LOADER_WEBHOOK_BATCH is out of range; choose 1 to 100", "LOADER_WEBHOOK_URL holds a user or a password", "LOADER_WEBHOOK_SECRET is not a Standard Webhooks secret",
		}},
		"a file that is missing": {map[string]string{url: "https://erp.example/", secretEnv + "_FILE": dir + "/none"}, []string{
			"LOADER_WEBHOOK_SECRET_FILE names a file that does not exist",
		}},
		"a list with a star": {map[string]string{url: "https://erp.example/", secretEnv: webhookSecret, "LOADER_WEBHOOK_ALLOW": "*"}, []string{
			"LOADER_WEBHOOK_ALLOW holds something that is neither a host nor a network",
		}},
		"a misspelt one": {map[string]string{url: "https://erp.example/", secretEnv: webhookSecret, "LOADER_WEBHOOK_ALOW": "x"}, []string{
			"LOADER_WEBHOOK_ALOW is not a setting; did you mean LOADER_WEBHOOK_ALLOW?",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LOADER_SINK", "webhook")
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			_, err := loader.LoadConfig("")
			problems, ok := errors.AsType[*setting.Problems](err)
			if ok != (len(test.says) > 0) || err != nil && !ok {
				t.Fatalf("load: %v, want %q", err, test.says)
			}
			if !ok {
				return
			}
			if len(problems.All) != len(test.says) || strings.Contains(err.Error(), "token-5d41") {
				t.Errorf("load: %v, want %d problems without values", err, len(test.says))
			}
			for _, says := range test.says {
				if !slices.ContainsFunc(problems.All, func(p setting.Problem) bool { return strings.HasPrefix(p.String(), says) }) {
					t.Errorf("load: %v, want %q", err, says)
				}
			}
		})
	}
}

func TestAReceiverThatIsDownCostsNoDeadLetters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var down atomic.Bool
	down.Store(true)
	var refused atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			refused.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	cfg := loader.Config{Sink: "webhook", Workers: 8, MaxAttempts: 3, Webhook: webhook.Config{
		URL: secret.New(server.URL), Secret: secret.New(webhook.Unsigned), Allow: "127.0.0.1", Batch: 1,
	}}
	var said bytes.Buffer
	log := logrus.New()
	log.SetOutput(&said)
	l, err := loader.Open(t.Context(), b.connect(t, "loader"), cfg, log, prometheus.NewRegistry(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	intake, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(intake, t.Context()) }()
	const n = 50
	b.store(t, orders(t, n)...)
	until(t, "the receiver refused more than attempts are allowed", func() bool { return refused.Load() > 24 })
	down.Store(false)
	b.untilLoaded(t)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if stats := l.Stats(); stats.Rejected != 0 || stats.Written < n {
		t.Errorf("%d dead letters, %d written; want none, %d", stats.Rejected, stats.Written, n)
	}
	if text := said.String(); !strings.Contains(text, "events are sent unsigned") || strings.Count(text, "sink unavailable; loading pauses") != 1 {
		t.Errorf("said %s, want that nothing is signed, and once that the sink is unavailable", text)
	}
}
