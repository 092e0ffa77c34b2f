package loader_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/control"
	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/webhook"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// down is a sink that takes nothing.
func down(context.Context, []record.Record) error {
	return &sink.UnavailableError{Cause: errors.New("down")}
}

// A sink that is down keeps what is in hand; a cancelled or forgotten replay must not keep the loader from the next one.
func TestAReplayBeforeASinkThatIsDownLetsGo(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *bundle, string){
		"cancelled": func(t *testing.T, b *bundle, id string) { t.Helper(); b.move(t, id, control.Cancelled) },
		"paused":    func(t *testing.T, b *bundle, id string) { t.Helper(); b.move(t, id, control.Paused) },
		"its durable removed": func(t *testing.T, b *bundle, id string) {
			t.Helper()
			if err := stream.RemoveReplay(t.Context(), b.conn, id, stream.ReplayPlan{}); err != nil {
				t.Fatal(err)
			}
			if job := b.await(t, id, ended); job.State != control.Failed {
				t.Errorf("%+v", job)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.store(t, orders(t, 300)...)
			b.loadAll(t)
			b.startReplayer(t, &recorder{answer: down}, func(c *loader.Config) { c.JSONL.Path = filepath.Join(t.TempDir(), "orders.jsonl") })
			stuck := b.replay(t, stream.ReplayQuery{}, loader.Replay{})
			told := b.await(t, stuck.ID, func(j control.Job) bool { return j.Problem != "" })
			if b.pendingOf(t, stuck.ID) == 0 || told.Problem != "sink unavailable: down" {
				t.Errorf("the problem is %q", told.Problem)
			}
			end(t, b, stuck.ID)
			next := b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:again.jsonl"})
			if job := b.await(t, next.ID, ended); job.State != control.Done {
				t.Errorf("the next replay: %+v", job)
			}
		})
	}
}

// A replay that waits for its rate does not pull, and so does not hear that its durable is gone.
func TestAReplayWithARateWhoseDurableIsGoneFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, orders(t, 100)...)
	b.loadAll(t)
	b.startReplayer(t, &recorder{})
	job := b.replay(t, stream.ReplayQuery{}, loader.Replay{Rate: 1})
	b.await(t, job.ID, func(j control.Job) bool { return j.Progress.Rows > 0 })
	if err := stream.RemoveReplay(t.Context(), b.conn, job.ID, stream.ReplayPlan{}); err != nil {
		t.Fatal(err)
	}
	if job = b.await(t, job.ID, ended); job.State != control.Failed {
		t.Errorf("%+v", job)
	}
}

// Two replays in trouble, of which the younger one gets well.
func TestAReplayThatStaysInTroubleStopsNoneThatWasInTrouble(t *testing.T) {
	t.Parallel()
	b, dir := setup(t), t.TempDir()
	b.store(t, orders(t, 10)...)
	b.loadAll(t)
	if err := os.Mkdir(filepath.Join(dir, "older.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "younger.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.startReplayer(t, &recorder{}, func(c *loader.Config) { c.JSONL.Path = filepath.Join(dir, "orders.jsonl") })
	older := b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:older.jsonl"})
	younger := b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:younger.jsonl"})
	for _, job := range []control.Job{older, younger} {
		b.await(t, job.ID, func(j control.Job) bool { return j.Problem != "" })
	}
	if err := os.Remove(filepath.Join(dir, "younger.jsonl")); err != nil {
		t.Fatal(err)
	}
	if job := b.await(t, younger.ID, ended); job.State != control.Done {
		t.Errorf("%+v", job)
	}
}

// The live flow needs no webhook, and its settings are there for replays all the same.
func TestAReplayIntoTheWebhookHasItsSettings(t *testing.T) {
	b := setup(t)
	b.store(t, orders(t, 20)...)
	b.loadAll(t)
	r := &receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Setenv("LOADER_WEBHOOK_URL", server.URL)
	t.Setenv("LOADER_WEBHOOK_SECRET", webhook.Unsigned)
	t.Setenv("LOADER_WEBHOOK_ALLOW", "127.0.0.1")
	cfg, err := loader.LoadConfig("noop")
	if err != nil {
		t.Fatal(err)
	}
	b.startReplayer(t, &recorder{}, func(c *loader.Config) { *c = cfg })
	job := b.await(t, b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "webhook"}).ID, func(j control.Job) bool { return ended(j) || j.Problem != "" })
	if job.State != control.Done || r.taken.Load() != 20 {
		t.Errorf("%d taken: %+v", r.taken.Load(), job)
	}
	t.Setenv("LOADER_WEBHOOK_BATCH", "many")
	if _, err := loader.LoadConfig("noop"); err != nil {
		t.Errorf("settings that the live flow does not use stop it: %v", err)
	}
}

// The clock of whoever asked for the replay is an hour ahead.
func TestAClockThatIsAheadHidesNoTrouble(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, orders(t, 10)...)
	b.loadAll(t)
	conn := b.connect(t, "loader")
	consumer, err := stream.OpenConsumer(t.Context(), conn, stream.LiveConsumer)
	if err != nil {
		t.Fatal(err)
	}
	behind := func() time.Time { return time.Now().Add(-time.Hour) }
	jobs, err := control.OpenJobs(t.Context(), conn, behind)
	if err != nil {
		t.Fatal(err)
	}
	run(t, loader.Deps{
		Consumer: consumer, DeadLetters: conn, Sink: &recorder{}, Log: b.log, Registerer: prometheus.NewRegistry(),
		Replays: &loader.ReplayDeps{Stream: conn, Jobs: jobs, Now: behind},
	}, func(c *loader.Config) { c.JSONL.Path = "/missing/orders.jsonl" })
	stuck := b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:again.jsonl"})
	if next := b.await(t, b.replay(t, stream.ReplayQuery{}, loader.Replay{}).ID, ended); next.State != control.Done {
		t.Errorf("the next replay: %+v", next)
	}
	if job := b.await(t, stuck.ID, func(j control.Job) bool { return j.Problem != "" }); !strings.Contains(job.Problem, "folder") {
		t.Errorf("%+v", job)
	}
}

// A document that cannot be read is removed as its error says, by hand.
func TestAReplayWhoseJobIsDeletedStopsNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, orders(t, 100)...)
	b.loadAll(t)
	b.startReplayer(t, &recorder{})
	job := b.replay(t, stream.ReplayQuery{}, loader.Replay{Rate: 20})
	b.await(t, job.ID, func(j control.Job) bool { return j.Progress.Rows > 0 })
	bucket, err := b.conn.JetStream().KeyValue(t.Context(), control.JobBucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Delete(t.Context(), loader.ReplayKind+"."+job.ID); err != nil {
		t.Fatal(err)
	}
	if next := b.await(t, b.replay(t, stream.ReplayQuery{}, loader.Replay{}).ID, ended); next.State != control.Done {
		t.Errorf("the next replay: %+v", next)
	}
}

// The job's document, and not the command that wrote it, is what a loader must not trust.
func TestAReplayIntoAForeignFileFails(t *testing.T) {
	t.Parallel()
	b, dir := setup(t), t.TempDir()
	b.store(t, orders(t, 10)...)
	b.loadAll(t)
	b.startReplayer(t, &recorder{}, func(c *loader.Config) { c.JSONL.Path = filepath.Join(dir, "live", "orders.jsonl") })
	if err := os.Mkdir(filepath.Join(dir, "live"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"../outside.jsonl", filepath.Join(dir, "outside.jsonl"), "nats.creds", "..", ""} {
		if job := b.await(t, b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:" + file}).ID, ended); job.State != control.Failed {
			t.Errorf("%q: %+v", file, job)
		}
	}
	for _, folder := range []string{dir, filepath.Join(dir, "live")} {
		files, err := filepath.Glob(filepath.Join(folder, "*.*"))
		if err != nil || len(files) > 0 {
			t.Errorf("written: %v, %v", files, err)
		}
	}
	for range 2 { // the first lets go of the file
		if job := b.await(t, b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:again.jsonl"}).ID, ended); job.State != control.Done {
			t.Errorf("%+v", job)
		}
	}
}
