package juliu_test

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/sink/webhook"
	"juliu/pkg/stream"
)

// patient is a system to look at: its settings, and what may be spoilt.
type patient struct {
	*ground
	env map[string]string
}

func newPatient(t *testing.T, box sandbox.Config) *patient {
	t.Helper()
	g := newGround(t, box)
	return &patient{g, map[string]string{
		"NATS_URL": g.nats, "JST_BASE_URL": g.erp, "JST_APP_KEY": sandbox.DefaultAppKey, "JST_APP_SECRET": sandbox.DefaultAppSecret,
		"JST_ACCESS_TOKEN": sandbox.DefaultAccessToken, "JST_REFRESH_TOKEN": sandbox.DefaultRefreshToken, "EXTRACTOR_START": "1h", "LOADER_SINK": "noop",
	}}
}

// examine runs the real doctor and returns its exit code and the checks that warn or fail, as "level check".
func (p *patient) examine(t *testing.T) (int, []string, string) {
	t.Helper()
	code, out, took := command(t.Context(), t, p.env, "juliu", "doctor", "--output", "json").run(t)
	if took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, s := range []string{canary, sandbox.DefaultAppSecret, sandbox.DefaultAccessToken, sandbox.DefaultRefreshToken} {
		if strings.Contains(out, s) {
			t.Error("the output shows a secret")
		}
	}
	var v struct {
		Findings []struct {
			Check string `json:"check"`
			Level string `json:"level"`
			Cure  string `json:"cure"`
		} `json:"findings"`
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&v); err != nil {
		t.Fatalf("exit code %d, not an object: %v\n%s", code, err, out)
	}
	var bad []string
	for _, f := range v.Findings {
		if f.Level == "warn" || f.Level == "fail" {
			bad = append(bad, f.Level+" "+f.Check)
			if f.Cure == "" {
				t.Errorf("%s has no cure", f.Check)
			}
		}
	}
	return code, bad, out
}

func TestDoctorFindsNothingInAHealthySystem(t *testing.T) {
	t.Parallel()
	p := newPatient(t, sandbox.Config{})
	code, bad, out := p.examine(t)
	if code != 0 || len(bad) > 0 || !strings.Contains(out, `"check":"erp","level":"ok"`) {
		t.Errorf("before the first start: exit code %d, %v\n%s", code, bad, out)
	}
	p.startExtractor(t, "1000")
	conn := p.connectAt(t, time.Now)
	deadline := time.Now().Add(30 * time.Second)
	for {
		sources, err := stream.Sources(t.Context(), conn)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the extractor does not commit: %v", err)
		}
		if len(sources) == 1 {
			break
		}
	}
	code, bad, out = p.examine(t)
	if code != 0 || len(bad) > 0 || !strings.Contains(out, `"check":"erp-held","level":"skip"`) {
		t.Errorf("while an extractor reads: exit code %d, %v\n%s", code, bad, out)
	}
}

func TestDoctorNamesTheCause(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	for name, c := range map[string]struct {
		box   sandbox.Config
		spoil func(t *testing.T, p *patient)
		want  string
	}{
		"nats is down":            {spoil: set("NATS_URL", "nats://127.0.0.1:1"), want: "fail nats-unreachable"},
		"a wrong nats token":      {spoil: func(_ *testing.T, p *patient) { p.env["NATS_URL"] = wrongToken(p.nats) }, want: "fail nats-unreachable"},
		"no consumer":             {spoil: inJetStream(dropConsumer), want: "fail not-provisioned"},
		"a stream that forgets":   {spoil: inJetStream(allowDirect), want: "fail not-provisioned"},
		"an impatient consumer":   {spoil: inJetStream(shortAckWait), want: "warn consumer"},
		"an age that is not kept": {spoil: set("STREAM_MAX_AGE", "720h"), want: "warn limit"},
		"a dead letter": {spoil: func(t *testing.T, p *patient) {
			t.Helper()
			if err := p.conn.KeepRow(t.Context(), "main", "sales-out", []byte("{}"), "no io_id", "no-identity"); err != nil {
				t.Fatal(err)
			}
		}, want: "warn dead-letters"},
		"nobody loads":             {spoil: commitAt(0, 0, 1), want: "fail no-loader"},
		"nobody reads":             {spoil: commitAt(hour, hour, 0), want: "fail unread"},
		"a future cursor":          {spoil: commitAt(0, -hour, 0), want: "fail future"},
		"another filter":           {spoil: both(set("EXTRACTOR_STATUS", "Confirmed"), commitAt(0, 0, 0)), want: "fail filter"},
		"a lease without a commit": {spoil: holdLease, want: "fail uncommitted"},
		"a gap":                    {spoil: auditWith(gapReport), want: "fail audit-gaps"},
		"a lowered quota":          {spoil: lowQuota, want: "warn quota-lowered"},
		"a lease that idles":       {spoil: both(commitAt(hour, hour, 0), holdLease), want: "fail stuck-source"},
		"no begin":                 {spoil: set("EXTRACTOR_START", ""), want: "fail no-start"},
		"a job that waits": {spoil: func(t *testing.T, p *patient) {
			t.Helper()
			job, err := p.jobs.Create(t.Context(), "backfill", "main", struct{}{})
			if err == nil {
				_, err = p.jobs.Change(t.Context(), job.ID, func(j *control.Job) error { j.Problem = "the ERP is down"; return nil })
			}
			if err != nil {
				t.Fatal(err)
			}
		}, want: "warn job"},
		"an address not allowed": {box: sandbox.Config{AllowedIPs: []string{"203.0.113.9"}}, want: "fail erp-ip"},
		"no grant":               {box: sandbox.Config{Denied: true}, want: "fail erp-grant"},
		"a wrong secret":         {spoil: set("JST_APP_SECRET", canary), want: "fail erp-signature"},
		"a dead token":           {spoil: set("JST_ACCESS_TOKEN", canary), want: "fail erp-token"},
		"an unknown shop":        {spoil: set("EXTRACTOR_SHOP_ID", "4711"), want: "fail erp-shop"},
		"no quota left":          {box: sandbox.Config{Faults: sandbox.Faults{Code200: sandbox.Odds{Rate: 1}}}, want: "warn erp-limit"},
		"the erp's clock":        {box: sandbox.Config{Faults: sandbox.Faults{ClockSkew: -2 * time.Minute}}, want: "warn clock-erp-ahead"},
		"no erp":                 {spoil: set("JST_BASE_URL", "http://127.0.0.1:1"), want: "fail erp-unreachable"},
		"a bad setting":          {spoil: set("EXTRACTOR_INTERVAL", "soon"), want: "fail setting"},
		"no refresh token":       {spoil: set("JST_REFRESH_TOKEN", ""), want: "warn token-unrefreshed"},
		"an ended token":         {spoil: saveToken(sandbox.DefaultAppSecret, -hour), want: "fail token-ended"},
		"a token that ends":      {spoil: saveToken(sandbox.DefaultAppSecret, 48*hour), want: "warn token-ends"},
		"a sealed token":         {spoil: saveToken("another", 480*hour), want: "fail token-sealed"},
		"no database": {
			spoil: both(set("LOADER_SINK", "postgres"), set("LOADER_POSTGRES_URL", "postgres://juliu:"+canary+"@127.0.0.1:1/juliu")),
			want:  "fail sink-postgres",
		},
		"no receiver": {spoil: both(set("LOADER_SINK", "webhook"), set("LOADER_WEBHOOK_URL", "http://127.0.0.1:1/"+canary),
			set("LOADER_WEBHOOK_ALLOW", "127.0.0.1"), set("LOADER_WEBHOOK_SECRET", webhook.Unsigned)), want: "fail sink-webhook"},
		"no folder": {spoil: both(set("LOADER_SINK", "jsonl"), set("LOADER_JSONL_PATH", "/nowhere/orders.jsonl")), want: "fail sink-jsonl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t, c.box)
			if c.spoil != nil {
				c.spoil(t, p)
			}
			code, bad, out := p.examine(t)
			if !slices.Equal(bad, []string{c.want}) || (code == 1) != strings.HasPrefix(c.want, "fail") {
				t.Errorf("exit code %d, %v, want %s\n%s", code, bad, c.want, out)
			}
		})
	}
}

// A cure is a command line: typed as it stands it cures, and leaves the limits as they are.
func TestTheCureOfAStreamThatIsNotAsProvisionedCures(t *testing.T) {
	t.Parallel()
	p := newPatient(t, sandbox.Config{})
	if _, err := stream.Provision(t.Context(), p.conn, stream.Limits{MaxAge: 720 * time.Hour, MaxBytes: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	both(inJetStream(dropConsumer), inJetStream(allowDirect))(t, p)
	code, bad, out := p.examine(t)
	if code != 1 || !slices.Equal(bad, []string{"fail not-provisioned"}) {
		t.Fatalf("exit code %d, %v\n%s", code, bad, out)
	}
	cure := regexp.MustCompile(`"cure":"((?:STREAM_\S+ )*)juliu provision"`).FindStringSubmatch(out)
	if cure == nil {
		t.Fatalf("no command cures it:\n%s", out)
	}
	env := map[string]string{"NATS_URL": p.nats}
	for setting := range strings.FieldsSeq(cure[1]) {
		name, value, _ := strings.Cut(setting, "=")
		env[name] = value
	}
	if code, out, _ := command(t.Context(), t, env, "juliu", "provision").run(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if code, bad, out := p.examine(t); code != 0 || len(bad) > 0 {
		t.Errorf("after %q: exit code %d, %v\n%s", cure[0], code, bad, out)
	}
	if is, err := stream.DescribeStream(t.Context(), p.conn, stream.Stream); err != nil || is.MaxAge != 720*time.Hour || is.MaxBytes != 1<<30 {
		t.Errorf("the cure changed the limits: %+v, %v", is, err)
	}
}

// Replays have durables of their own beside the loaders'.
func TestDoctorTakesAReplayForNoFault(t *testing.T) {
	t.Parallel()
	p := newPatient(t, sandbox.Config{})
	commitAt(0, 0, 1)(t, p)
	js := p.conn.JetStream()
	live, err := js.Consumer(t.Context(), stream.Stream, stream.LiveConsumer)
	if err != nil {
		t.Fatal(err)
	}
	cfg := live.CachedInfo().Config
	cfg.Durable, cfg.Name = "replay-20261124-161633-k3f", "replay-20261124-161633-k3f"
	if _, err := js.CreateConsumer(t.Context(), stream.Stream, cfg); err != nil {
		t.Fatal(err)
	}
	batch, err := live.Fetch(1)
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if code, bad, out := p.examine(t); code != 0 || len(bad) > 0 {
		t.Errorf("exit code %d, %v\n%s", code, bad, out)
	}
}

func TestDoctorSpeaksChineseAndChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPatient(t, sandbox.Config{})
	commitAt(time.Hour, time.Hour, 1)(t, p)
	state := func() stream.Snapshot {
		s, err := stream.TakeSnapshot(t.Context(), p.conn)
		if err != nil {
			t.Fatal(err)
		}
		s.At = time.Time{}
		return s
	}
	before := state()
	for name, value := range map[string]string{"LC_ALL": "zh_CN.UTF-8", "LANG": "zh_TW"} {
		env := maps.Clone(p.env)
		env[name] = value
		code, out, _ := command(t.Context(), t, env, "juliu", "doctor").run(t)
		if code != 1 || !strings.Contains(out, "没有进程读取来源 main") || !strings.Contains(out, "处理：") {
			t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
	}
	if after := state(); after != before {
		t.Errorf("doctor changed the stream: %+v, before %+v", after, before)
	}
	if jobs, err := p.jobs.List(t.Context()); err != nil || len(jobs) > 0 {
		t.Errorf("doctor left jobs: %v, %v", jobs, err)
	}
}

func TestDoctorLooksAtAReceiverWithoutPosting(t *testing.T) {
	t.Parallel()
	p := newPatient(t, sandbox.Config{})
	receiver := httptest.NewServer(nil)
	t.Cleanup(receiver.Close)
	both(set("LOADER_SINK", "webhook"), set("LOADER_WEBHOOK_URL", receiver.URL), set("LOADER_WEBHOOK_ALLOW", "127.0.0.1"),
		set("LOADER_WEBHOOK_SECRET", webhook.Unsigned))(t, p)
	if code, bad, out := p.examine(t); code != 0 || len(bad) > 0 || !strings.Contains(out, "the sink webhook can be used") {
		t.Errorf("exit code %d, %v\n%s", code, bad, out)
	}
}
