package extractor_test

import (
	"context"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

// bench is a real NATS server and a simulated ERP for one test.
type bench struct {
	box    *sandbox.Sandbox
	conn   *stream.Conn
	nats   *embednats.Server
	dir    string // of the NATS server
	config extractor.Config
	log    *logrus.Logger
}

func setup(t *testing.T, cfg sandbox.Config) *bench {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	cfg.Now = time.Now
	box, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	erp := httptest.NewServer(box)
	t.Cleanup(erp.Close)
	dir := t.TempDir()
	nats, err := embednats.Start(t.Context(), embednats.Options{Dir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	b := &bench{box: box, nats: nats, dir: dir, log: log}
	b.conn = b.connect(t)
	if _, err := stream.Provision(t.Context(), b.conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Provision(t.Context(), b.conn, 1); err != nil {
		t.Fatal(err)
	}
	b.config = extractor.Config{
		ERP: jushuitan.Config{
			BaseURL: erp.URL, AppKey: sandbox.DefaultAppKey, AppSecret: secret.New(sandbox.DefaultAppSecret),
			AccessToken: secret.New(sandbox.DefaultAccessToken), RatePerSecond: 10_000, RatePerMinute: 600_000, Now: time.Now,
		},
		Source: "main", Start: time.Now().Add(-48 * time.Hour), Interval: 50 * time.Millisecond, Settle: time.Second, Overlap: 5 * time.Second,
		Window: 24 * time.Hour, PageSize: 50, Cursor: "window",
	}
	return b
}

func (b *bench) connect(t *testing.T) *stream.Conn {
	t.Helper()
	conn, err := stream.Connect(t.Context(), stream.Config{URL: b.nats.URL(), Name: "test"}, b.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func (b *bench) extractor(t *testing.T, conn *stream.Conn) *extractor.Extractor {
	t.Helper()
	client, err := jushuitan.New(b.config.ERP)
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := control.OpenJobs(t.Context(), conn, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := control.OpenTokens(t.Context(), conn, b.config.ERP.AppSecret)
	if err != nil {
		t.Fatal(err)
	}
	e, err := extractor.New(extractor.Deps{
		ERP: client, Stream: conn, Leases: everybody{}, Jobs: jobs, Tokens: tokens, Log: b.log, Registerer: prometheus.NewRegistry(), Now: time.Now,
	}, b.config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// everybody holds the lease, also two at once: what the fence is for.
type everybody struct{}

func (everybody) Hold(ctx context.Context, _ string, _ control.Holder, fn func(context.Context) error) error {
	return fn(ctx)
}

// runUntil runs e until done says so, and returns Run's error.
func runUntil(t *testing.T, e *extractor.Extractor, done func() bool) error {
	t.Helper()
	intake, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	finished := make(chan error, 1)
	go func() { finished <- e.Run(intake, t.Context()) }()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-finished:
			return err
		case <-ticker.C:
			if done() {
				stop()
			}
		}
	}
}

// caughtUp is true once e has read everything up to now, what became visible late included.
func caughtUp(e *extractor.Extractor) func() bool {
	now := time.Now()
	return func() bool { return e.Stats().Cursor.After(now) && e.Stats().LookedBack.After(now) }
}

// stored reads the whole stream: the versions of each key in order.
func (b *bench) stored(t *testing.T) map[string][]int64 {
	t.Helper()
	versions := map[string][]int64{}
	err := stream.Read(t.Context(), b.conn, stream.ReadOptions{Source: b.config.Source}, func(d stream.Delivery) error {
		if d.Err != nil {
			return d.Err
		}
		versions[d.Record.Key] = append(versions[d.Record.Key], d.Record.Version.TS)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

// compare fails unless the stream ends with the newest version of each order, no version twice, none after a newer one.
func (b *bench) compare(t *testing.T) {
	t.Helper()
	versions := b.stored(t)
	for key, final := range b.box.Ledger().Final() {
		got := versions[key]
		if len(got) == 0 || got[len(got)-1] != final.TS {
			t.Errorf("order %s: stored versions %v, the newest is %d", key, got, final.TS)
		}
	}
	for key, got := range versions {
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Errorf("order %s: version %d stored after %d", key, got[i], got[i-1])
			}
		}
	}
}
