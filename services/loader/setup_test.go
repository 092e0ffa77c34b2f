package loader_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	"juliu/services/loader"
)

// patience is how long a test waits for what must happen.
const patience = 90 * time.Second

// bundle is a real server with the streams, and a journal to store records with.
type bundle struct {
	server  *embednats.Server
	conn    *stream.Conn
	journal *stream.Journal
	log     *logrus.Logger
}

func setup(tb testing.TB) *bundle {
	tb.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := embednats.Start(tb.Context(), embednats.Options{Dir: tb.TempDir(), Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	b := &bundle{server: server, log: log}
	b.conn = b.connect(tb, "test")
	if _, err := stream.Provision(tb.Context(), b.conn, stream.Limits{}); err != nil {
		tb.Fatal(err)
	}
	if _, err := control.Provision(tb.Context(), b.conn, 1); err != nil {
		tb.Fatal(err)
	}
	if b.journal, err = stream.OpenJournal(tb.Context(), b.conn, "sales-out", "main"); err != nil {
		tb.Fatal(err)
	}
	return b
}

func (b *bundle) connect(tb testing.TB, name string) *stream.Conn {
	tb.Helper()
	conn, err := stream.Connect(tb.Context(), stream.Config{URL: b.server.URL(), Name: name}, b.log)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn
}

// store commits records, up to 999 at once.
func (b *bundle) store(tb testing.TB, records ...record.Record) {
	tb.Helper()
	for len(records) > 0 {
		n := min(len(records), stream.MaxRecords)
		if err := b.journal.Commit(tb.Context(), records[:n], &juliuv1.Checkpoint{}); err != nil {
			tb.Fatal(err)
		}
		records = records[n:]
	}
}

// orders are records of n keys, one version each.
func orders(tb testing.TB, n int) []record.Record {
	tb.Helper()
	all := make([]record.Record, n)
	for i := range all {
		all[i] = order(tb, i+1, 1)
	}
	return all
}

// order is the ts-th version of a key, with more members, each with a comma before it.
func order(tb testing.TB, key, ts int, more ...string) record.Record {
	tb.Helper()
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	row := fmt.Sprintf(`{"io_id":%d,"shop_id":%d,"ts":%d,"modified":"2026-02-01 00:00:00"%s}`, key, key%3, ts, strings.Join(more, ""))
	r, err := record.SalesOut().Decode("main", []byte(row), at)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// running is a loader at work.
type running struct {
	*loader.Loader

	intake, work context.CancelFunc
	ended        chan error
}

// start runs a loader on the stream; it stops with the test unless stop was called.
func (b *bundle) start(tb testing.TB, s sink.Sink, change ...func(*loader.Config)) *running {
	tb.Helper()
	conn := b.connect(tb, "loader")
	consumer, err := stream.OpenConsumer(tb.Context(), conn, stream.LiveConsumer)
	if err != nil {
		tb.Fatal(err)
	}
	return run(tb, loader.Deps{
		Consumer: consumer, DeadLetters: conn, Sink: s, Lag: noLag, Log: b.log, Registerer: prometheus.NewRegistry(),
	}, change...)
}

func noLag(context.Context) (uint64, error) { return 0, nil }

// run runs a loader on whatever it is given.
func run(tb testing.TB, deps loader.Deps, change ...func(*loader.Config)) *running {
	tb.Helper()
	cfg := loader.Config{Sink: "test", Workers: 4, MaxAttempts: 10}
	for _, f := range change {
		f(&cfg)
	}
	l, err := loader.New(deps, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	r := &running{Loader: l, ended: make(chan error, 1)}
	var intake, work context.Context
	intake, r.intake = context.WithCancel(context.Background())
	work, r.work = context.WithCancel(context.Background())
	var once sync.WaitGroup
	once.Go(func() { r.ended <- l.Run(intake, work) })
	tb.Cleanup(func() {
		r.intake()
		r.work()
		once.Wait()
	})
	return r
}

// stop ends intake and waits until the loader has finished what it has in hand.
func (r *running) stop(tb testing.TB) {
	tb.Helper()
	r.intake()
	if err := r.wait(tb); err != nil {
		tb.Fatalf("run: %v", err)
	}
}

// wait returns what Run returns.
func (r *running) wait(tb testing.TB) error {
	tb.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		tb.Fatal("the loader does not end")
		return nil
	}
}

// until waits for a condition.
func until(tb testing.TB, what string, reached func() bool) {
	tb.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-deadline.C:
			tb.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// snapshot is the state of the stream and its consumer.
func (b *bundle) snapshot(tb testing.TB) stream.Snapshot {
	tb.Helper()
	s, err := stream.TakeSnapshot(tb.Context(), b.conn)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// setAckWait shortens the time after which what a killed loader held comes again.
func (b *bundle) setAckWait(tb testing.TB, wait time.Duration) {
	tb.Helper()
	ctx := tb.Context()
	k, err := b.conn.JetStream().Consumer(ctx, stream.Stream, stream.LiveConsumer)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := k.CachedInfo().Config
	cfg.AckWait = wait
	if _, err := b.conn.JetStream().UpdateConsumer(ctx, stream.Stream, cfg); err != nil {
		tb.Fatal(err)
	}
}

// untilLoaded waits until every record is acknowledged or dead-lettered.
func (b *bundle) untilLoaded(tb testing.TB) {
	tb.Helper()
	until(tb, "everything is loaded", func() bool { return b.snapshot(tb).Lag() == 0 })
}
