package juliu_test

import (
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
)

// mistake is a way to start a program wrongly: it must end within ten seconds with one line that names the cause and the cure.
type mistake struct {
	program string
	args    []string
	env     map[string]string // over the settings that work; "-" removes one
	box     *sandbox.Sandbox  // in place of the one that works
	code    int
	want    []string
}

const canary = "canary-5ecret-91"

func TestProgramsTellWhatIsWrong(t *testing.T) {
	t.Parallel()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := embednats.Start(t.Context(), embednats.Options{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	bare, err := embednats.Start(t.Context(), embednats.Options{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bare.Close)
	conn, err := stream.Connect(t.Context(), stream.Config{URL: server.URL(), Name: "test"}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	held, err := embednats.Start(t.Context(), embednats.Options{Dir: used, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(held.Close)
	open := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(open, []byte(canary+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	works := map[string]string{
		"JST_APP_KEY": sandbox.DefaultAppKey, "JST_APP_SECRET": sandbox.DefaultAppSecret, "JST_ACCESS_TOKEN": sandbox.DefaultAccessToken,
		"NATS_URL": server.URL(), "EXTRACTOR_START": "1h", "HTTP_ADDR": "off", "LOG_LEVEL": "error",
	}
	healthy := newBox(t, sandbox.Config{})
	cases := map[string]mistake{
		"a wrong secret":            {env: map[string]string{"JST_APP_SECRET": canary}, code: 1, want: []string{"signature", "app secret"}},
		"a dead token":              {env: map[string]string{"JST_ACCESS_TOKEN": canary}, code: 1, want: []string{"100", "token"}},
		"an unlisted address":       {box: newBox(t, sandbox.Config{AllowedIPs: []string{"203.0.113.9"}}), code: 1, want: []string{"127.0.0.1", "whitelist"}},
		"an interface not granted":  {box: newBox(t, sandbox.Config{Denied: true}), code: 1, want: []string{"190", "grant"}},
		"a clock off by an hour":    {box: newBox(t, sandbox.Config{Faults: sandbox.Faults{ClockSkew: time.Hour}}), code: 1, want: []string{"clock", "NTP"}},
		"an unknown shop":           {env: map[string]string{"EXTRACTOR_SHOP_ID": "4711"}, code: 1, want: []string{"170", "shop_id"}},
		"nats is down":              {env: map[string]string{"NATS_URL": "nats://127.0.0.1:1"}, code: 1, want: []string{"127.0.0.1:1", "NATS_URL"}},
		"a wrong nats token":        {env: map[string]string{"NATS_URL": wrongToken(server.URL())}, code: 2, want: []string{"NATS"}},
		"nats not provisioned":      {env: map[string]string{"NATS_URL": bare.URL()}, code: 2, want: []string{"juliu provision"}},
		"no start, no checkpoint":   {env: map[string]string{"EXTRACTOR_START": "-", "EXTRACTOR_SOURCE": "fresh"}, code: 2, want: []string{"EXTRACTOR_START", "720h"}},
		"a start in the future":     {env: map[string]string{"EXTRACTOR_START": "2199-01-01T00:00:00Z"}, code: 2, want: []string{"EXTRACTOR_START", "future"}},
		"a start without a zone":    {env: map[string]string{"EXTRACTOR_START": "2026-01-31 00:00:00"}, code: 2, want: []string{"EXTRACTOR_START", "zone"}},
		"no key, secret, token":     {env: map[string]string{"JST_APP_KEY": "-", "JST_APP_SECRET": "-", "JST_ACCESS_TOKEN": "-"}, code: 2, want: []string{"JST_APP_KEY", "JST_APP_SECRET", "JST_ACCESS_TOKEN"}},
		"several bad settings":      {env: map[string]string{"EXTRACTOR_INTERVAL": "soon", "EXTRACTOR_WINDOW": "9000h", "EXTRACTOR_PAGE_SIZE": "51", "EXTRACTOR_STATUS": "Shipped"}, code: 2, want: []string{"EXTRACTOR_INTERVAL", "EXTRACTOR_WINDOW", "EXTRACTOR_PAGE_SIZE", "EXTRACTOR_STATUS", "Confirmed"}},
		"an overlap of nothing":     {env: map[string]string{"EXTRACTOR_OVERLAP": "0s"}, code: 2, want: []string{"EXTRACTOR_OVERLAP", "out of range"}},
		"a misspelt name":           {env: map[string]string{"EXTRACTOR_SETTEL": "1m"}, code: 2, want: []string{"EXTRACTOR_SETTEL", "EXTRACTOR_SETTLE"}},
		"a secret's file is absent": {env: map[string]string{"JST_APP_SECRET": "-", "JST_APP_SECRET_FILE": "/nowhere/secret"}, code: 2, want: []string{"JST_APP_SECRET_FILE"}},
		"a secret others can write": {env: map[string]string{"JST_APP_SECRET": "-", "JST_APP_SECRET_FILE": open}, code: 2, want: []string{"JST_APP_SECRET_FILE", "chmod"}},
		"a secret given twice":      {env: map[string]string{"JST_APP_SECRET": canary, "JST_APP_SECRET_FILE": open}, code: 2, want: []string{"JST_APP_SECRET", "both"}},
		"a base url with a path":    {env: map[string]string{"JST_BASE_URL": "https://open.erp321.com/api/open/query.aspx"}, code: 2, want: []string{"JST_BASE_URL"}},
		"a log format of juliu":     {program: "juliu", args: []string{"provision"}, env: map[string]string{"LOG_FORMAT": "xml"}, code: 2, want: []string{"LOG_FORMAT", "json"}},
		"two replicas":              {program: "juliu", args: []string{"provision"}, env: map[string]string{"STREAM_REPLICAS": "2"}, code: 2, want: []string{"STREAM_REPLICAS", "3"}},
		"up, everything wrong":      {program: "juliu", args: []string{"up", "--sink", "oracle"}, env: map[string]string{"EXTRACTOR_INTERVAL": "soon"}, code: 2, want: []string{"LOADER_SINK", "EXTRACTOR_INTERVAL"}},
		"an unknown gateway":        {env: map[string]string{"JST_GATEWAY": "soap"}, code: 2, want: []string{"JST_GATEWAY", "partner"}},
		"an unknown log level":      {env: map[string]string{"LOG_LEVEL": "loud"}, code: 2, want: []string{"LOG_LEVEL"}},
		"an unknown sink":           {program: "loader", env: map[string]string{"LOADER_SINK": "oracle"}, code: 2, want: []string{"LOADER_SINK", "noop"}},
		"loader, not provisioned":   {program: "loader", env: map[string]string{"NATS_URL": bare.URL()}, code: 2, want: []string{"juliu provision"}},
		"a folder in use":           {program: "juliu", args: []string{"up", "--data", used}, env: map[string]string{"JST_APP_SECRET": canary}, code: 2, want: []string{used, "--data"}},
		"an unknown command":        {program: "juliu", args: []string{"upp"}, code: 2, want: []string{"upp", "--help"}},
		"an unknown flag":           {program: "juliu", args: []string{"read", "--lsat", "3"}, code: 2, want: []string{"--lsat"}},
		"an unknown output":         {program: "juliu", args: []string{"read", "--output", "xml"}, code: 2, want: []string{"json"}},
		"a desk where nothing is":   {program: "juliu", args: []string{"dlq", "list"}, env: map[string]string{"NATS_URL": "nats://127.0.0.1:1"}, code: 1, want: []string{"127.0.0.1:1"}},
		"a desk not provisioned":    {program: "juliu", args: []string{"dlq", "list"}, env: map[string]string{"NATS_URL": bare.URL()}, code: 2, want: []string{"juliu provision"}},
		"reading where nothing is":  {program: "juliu", args: []string{"read"}, env: map[string]string{"NATS_URL": "nats://127.0.0.1:1"}, code: 1, want: []string{"127.0.0.1:1"}},
	}
	for name, m := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m.check(t, works, healthy)
		})
	}
}

func (m mistake) check(t *testing.T, works map[string]string, healthy *sandbox.Sandbox) {
	t.Helper()
	if m.program == "" {
		m.program = "extractor"
	}
	if m.box == nil {
		m.box = healthy
	}
	erp := httptest.NewServer(m.box)
	t.Cleanup(erp.Close)
	env := maps.Clone(works)
	env["JST_BASE_URL"] = erp.URL // a case may name another
	for name, value := range m.env {
		env[name] = value
		if value == "-" {
			delete(env, name)
		}
	}
	code, out, took := command(t.Context(), t, env, m.program, m.args...).run(t)
	if code != m.code || took > 10*time.Second {
		t.Errorf("exit code %d after %v, want %d within 10 s", code, took, m.code)
	}
	for _, want := range m.want {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not name %q", want)
		}
	}
	for _, s := range []string{canary, sandbox.DefaultAppSecret, sandbox.DefaultAccessToken} {
		if strings.Contains(out, s) {
			t.Error("the output shows a secret")
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

func newBox(t *testing.T, cfg sandbox.Config) *sandbox.Sandbox {
	t.Helper()
	cfg.Now = time.Now
	if cfg.AppSecret.IsZero() {
		cfg.AppSecret = secret.New(sandbox.DefaultAppSecret)
	}
	box, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// wrongToken is a server's URL with another token.
func wrongToken(url string) string {
	_, host, _ := strings.Cut(url, "@")
	return "nats://" + canary + "@" + host
}
