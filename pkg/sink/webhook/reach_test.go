package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"juliu/pkg/secret"
	"juliu/pkg/sink/webhook"
)

func TestReachConnectsAndPostsNothing(t *testing.T) {
	t.Parallel()
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("something was posted") })
	if err := webhook.Reach(t.Context(), config(url)); err != nil {
		t.Error(err)
	}
}

func TestReachSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewTLSServer(nil)
	t.Cleanup(untrusted.Close)
	for name, c := range map[string]struct {
		url, allow, want string
	}{
		"nobody is there":          {"http://127.0.0.1:1/canary", "127.0.0.1", "127.0.0.1:1"},
		"a certificate of its own": {untrusted.URL + "/canary", "127.0.0.1", "certificate"},
		"an address inside":        {"https://localhost/canary", "", "LOADER_WEBHOOK_ALLOW"},
		"no url":                   {"", "", "is not set"},
	} {
		cfg := config(c.url, func(cfg *webhook.Config) { cfg.Allow, cfg.URL = c.allow, secret.New(c.url) })
		if err := webhook.Reach(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
