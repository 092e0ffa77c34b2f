package loader_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"juliu/pkg/control"
	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// jobs are the jobs, as an operator sees them.
func (b *bundle) jobs(tb testing.TB, conn *stream.Conn) *control.Jobs {
	tb.Helper()
	jobs, err := control.OpenJobs(tb.Context(), conn, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	return jobs
}

// startReplayer runs a loader that carries out replays too.
func (b *bundle) startReplayer(tb testing.TB, s sink.Sink, change ...func(*loader.Config)) *running {
	tb.Helper()
	conn := b.connect(tb, "loader")
	consumer, err := stream.OpenConsumer(tb.Context(), conn, stream.LiveConsumer)
	if err != nil {
		tb.Fatal(err)
	}
	return run(tb, loader.Deps{
		Consumer: consumer, DeadLetters: conn, Sink: s, Log: b.log, Registerer: prometheus.NewRegistry(),
		Replays: &loader.ReplayDeps{Stream: conn, Jobs: b.jobs(tb, conn), Now: time.Now},
	}, change...)
}

// loadAll loads what is stored, so that nothing is left but replays.
func (b *bundle) loadAll(tb testing.TB) {
	tb.Helper()
	l := b.start(tb, &sink.Noop{})
	b.untilLoaded(tb)
	l.stop(tb)
}

// replay asks for a replay and returns its job.
func (b *bundle) replay(tb testing.TB, q stream.ReplayQuery, spec loader.Replay) control.Job {
	tb.Helper()
	var err error
	if spec.Plan, err = stream.PlanReplay(tb.Context(), b.conn, q); err != nil {
		tb.Fatal(err)
	}
	jobs := b.jobs(tb, b.conn)
	job, err := jobs.Create(tb.Context(), loader.ReplayKind, "", spec)
	if err == nil {
		err = stream.CreateReplay(tb.Context(), b.conn, job.ID, spec.Plan)
	}
	for _, state := range []control.State{control.Planned, control.Running} {
		if err == nil {
			job, err = jobs.Change(tb.Context(), job.ID, func(j *control.Job) error { return j.Move(state) })
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
	return job
}

// move changes the state of a job.
func (b *bundle) move(tb testing.TB, id string, to control.State) {
	tb.Helper()
	if _, err := b.jobs(tb, b.conn).Change(tb.Context(), id, func(j *control.Job) error { return j.Move(to) }); err != nil {
		tb.Fatal(err)
	}
}

// await waits until a job is as asked.
func (b *bundle) await(tb testing.TB, id string, reached func(control.Job) bool) control.Job {
	tb.Helper()
	jobs := b.jobs(tb, b.conn)
	var job control.Job
	until(tb, "the job is as asked", func() bool {
		var err error
		if job, err = jobs.Find(tb.Context(), id); err != nil {
			tb.Fatal(err)
		}
		return reached(job)
	})
	return job
}

func ended(j control.Job) bool { return j.State.Ended() }

// reported is what the loaders counted.
func reported(tb testing.TB, j control.Job) loader.ReplayReport {
	tb.Helper()
	var r loader.ReplayReport
	if err := json.Unmarshal(j.Report, &r); err != nil {
		tb.Fatalf("%+v: %v", j, err)
	}
	return r
}

// isGone tells whether the durable of a replay was removed.
func (b *bundle) isGone(tb testing.TB, id string) bool {
	tb.Helper()
	_, err := stream.OpenConsumer(tb.Context(), b.conn, stream.ReplayConsumer(id))
	_, gone := errors.AsType[*stream.TopologyError](err)
	return gone
}

func TestAFleetReplaysEachRecordOnceBesideTheLiveFlow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &recorder{}
	for range 3 {
		b.startReplayer(t, s)
	}
	const before, during = 3000, 600
	all := orders(t, before+during)
	b.store(t, all[:before]...)
	b.store(t, order(t, 1, 2)) // of which the first version is passed over
	b.untilLoaded(t)
	job := b.replay(t, stream.ReplayQuery{Newest: true}, loader.Replay{})
	for i := 0; i < during; i += 20 {
		b.store(t, all[before+i:before+i+20]...)
	}
	job = b.await(t, job.ID, ended)
	b.untilLoaded(t)
	until(t, "the durable is removed", func() bool { return b.isGone(t, job.ID) })

	report := reported(t, job)
	// The plan begins at the second record: nothing is passed over before the first that is wanted.
	if job.State != control.Done || report != (loader.ReplayReport{Written: before}) {
		t.Errorf("%+v, want %d written", job, before)
	}
	different, writes := s.count()
	if want := before + 1 + during; different != want || writes != want+before {
		t.Errorf("%d different records in %d writes, want %d in %d", different, writes, want, want+before)
	}
	if s.written[1] != 1 { // the older version
		t.Errorf("the older version was written %d times, want once", s.written[1])
	}
	for _, fault := range s.faults {
		if fault != "two writes of one key at once" { // a replay is like another loader
			t.Error(fault)
		}
	}
}

func TestAReplayPausesGoesOnAndIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, orders(t, 1000)...)
	b.loadAll(t)
	var writes atomic.Int64
	step := make(chan struct{})
	s := &recorder{size: 10, answer: func(ctx context.Context, batch []record.Record) error {
		select {
		case <-step:
		case <-ctx.Done():
			return ctx.Err()
		}
		writes.Add(int64(len(batch)))
		return nil
	}}
	l := b.startReplayer(t, s)
	job := b.replay(t, stream.ReplayQuery{}, loader.Replay{})
	for range 5 {
		step <- struct{}{}
	}
	b.move(t, job.ID, control.Paused)
	paused := make(chan struct{})
	var stepping sync.WaitGroup
	stepping.Go(func() { // what is in hand is finished, and no more
		for {
			select {
			case step <- struct{}{}:
			case <-paused:
				return
			}
		}
	})
	until(t, "nothing of the replay is in hand", func() bool { return b.pendingOf(t, job.ID) == 0 })
	close(paused)
	stepping.Wait()
	if n := writes.Load(); n < 50 || n > 50+loader.MostHeld/4 {
		t.Errorf("%d records were written until the pause, want 50 and what was in hand", n)
	}
	job = b.await(t, job.ID, func(j control.Job) bool { return j.Progress.Rows == writes.Load() })
	b.move(t, job.ID, control.Running)
	step <- struct{}{}
	b.move(t, job.ID, control.Cancelled)
	if err := stream.RemoveReplay(t.Context(), b.conn, job.ID, stream.ReplayPlan{}); err != nil {
		t.Fatal(err)
	}
	close(step)
	b.store(t, order(t, 5000, 1)) // the loader goes on
	b.untilLoaded(t)
	next := b.replay(t, stream.ReplayQuery{FromSequence: 990}, loader.Replay{})
	if next = b.await(t, next.ID, ended); next.State != control.Done {
		t.Errorf("the next replay: %+v", next)
	}
	l.stop(t)
	if s.closed != 1 {
		t.Errorf("the live sink was closed %d times, want once", s.closed)
	}
}

// pendingOf is how many records of a replay are in hand of loaders.
func (b *bundle) pendingOf(tb testing.TB, id string) int {
	tb.Helper()
	k, err := b.conn.JetStream().Consumer(tb.Context(), stream.Stream, stream.ReplayConsumer(id))
	if err != nil {
		tb.Fatal(err)
	}
	return k.CachedInfo().NumAckPending
}

// forcer is a recorder that can be forced.
type forcer struct {
	recorder

	forced atomic.Int64
}

// Force counts.
func (f *forcer) Force(ctx context.Context, batch []record.Record) error {
	f.forced.Add(int64(len(batch)))
	return f.Write(ctx, batch)
}

func TestOnlyAForcedReplayForces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &forcer{}
	b.startReplayer(t, s)
	b.store(t, orders(t, 100)...)
	b.untilLoaded(t)
	for force, want := range []int64{0, 100} {
		job := b.replay(t, stream.ReplayQuery{}, loader.Replay{Force: force == 1})
		b.await(t, job.ID, ended)
		if got := s.forced.Load(); got != want {
			t.Errorf("forced %v: %d records forced, want %d", force == 1, got, want)
		}
	}
}

func TestARefusedRecordOfAReplayIsADeadLetter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, orders(t, 100)...)
	b.loadAll(t)
	b.startReplayer(t, &recorder{answer: func(_ context.Context, batch []record.Record) error {
		failed := map[int]error{}
		for i, r := range batch {
			if r.Key == "7" {
				failed[i] = sink.ErrRejected
			}
		}
		if len(failed) > 0 {
			return &sink.BatchError{Failed: failed}
		}
		return nil
	}})
	job := b.await(t, b.replay(t, stream.ReplayQuery{}, loader.Replay{}).ID, ended)
	if got := reported(t, job); got != (loader.ReplayReport{Written: 99, Rejected: 1}) || job.State != control.Done {
		t.Errorf("%+v", job)
	}
	letters, err := stream.Letters(t.Context(), b.conn)
	if err != nil || len(letters) != 1 || letters[0].Consumer != stream.ReplayConsumer(job.ID) || letters[0].Key != "7" {
		t.Errorf("the dead letters are %+v, %v", letters, err)
	}
}

func TestAReplayThatCannotGoOnSaysWhyAndStopsNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.startReplayer(t, &recorder{}, func(c *loader.Config) { c.JSONL.Path = "/missing/orders.jsonl" })
	b.store(t, orders(t, 10)...)
	b.untilLoaded(t)
	stuck := b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:again.jsonl"})
	told := b.await(t, stuck.ID, func(j control.Job) bool { return j.Problem != "" })
	if !strings.Contains(told.Problem, "names a folder that does not exist") {
		t.Errorf("the problem is %q", told.Problem)
	}
	if next := b.await(t, b.replay(t, stream.ReplayQuery{}, loader.Replay{}).ID, ended); next.State != control.Done {
		t.Errorf("the next replay: %+v", next)
	}
	lost := b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:again.jsonl"})
	if err := stream.RemoveReplay(t.Context(), b.conn, lost.ID, stream.ReplayPlan{}); err != nil {
		t.Fatal(err)
	}
	if job := b.await(t, lost.ID, ended); job.State != control.Failed || !strings.Contains(job.Problem, "begin it anew") {
		t.Errorf("a replay whose durable is gone: %+v", job)
	}
}

// Two loaders as they ship write into files of their own; one is killed in the middle. Nothing is missing, and what is written twice is at most
// what the killed one had in hand.
func TestAReplayOutlivesAKilledLoader(t *testing.T) {
	t.Parallel()
	b, path := setup(t), binary(t)
	const records = 20_000
	b.store(t, orders(t, records)...)
	b.loadAll(t)
	files := make([]string, 2)
	crew := make([]*exec.Cmd, 2)
	logs := make([]*bytes.Buffer, 2)
	job := b.replay(t, stream.ReplayQuery{}, loader.Replay{Sink: "jsonl:again.jsonl"})
	b.setReplayAckWait(t, job.ID, 2*time.Second)
	for i := range crew {
		folder := t.TempDir()
		files[i] = filepath.Join(folder, "again.jsonl")
		crew[i], logs[i] = command(t, path, "NATS_URL="+b.server.URL(), "LOADER_JSONL_PATH="+filepath.Join(folder, "orders.jsonl"))
		if err := crew[i].Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = crew[i].Process.Kill(); _ = crew[i].Wait() })
	}
	until(t, "the first has written some", func() bool { return len(lines(t, files[0])) > 500 })
	_ = crew[0].Process.Kill()
	_ = crew[0].Wait()
	if job = b.await(t, job.ID, ended); job.State != control.Done {
		t.Fatalf("%+v\n%s", job, logs[1])
	}
	first, second := lines(t, files[0]), lines(t, files[1])
	twice, all := 0, len(first)
	for key, n := range second {
		if twice += n - 1; first[key] > 0 {
			twice++
		} else {
			all++
		}
	}
	t.Logf("%d by the killed, %d by the other, %d twice", len(first), len(second), twice)
	if all != records || twice > loader.MostHeld {
		t.Errorf("%d different records of %d are written, %d of them twice", all, records, twice)
	}
	_ = crew[1].Process.Kill()
	_ = crew[1].Wait()
	if out := logs[1].String(); out != "" {
		t.Errorf("the other said: %s", out)
	}
}

// setReplayAckWait shortens the time after which what a killed loader held comes again.
func (b *bundle) setReplayAckWait(tb testing.TB, id string, wait time.Duration) {
	tb.Helper()
	k, err := b.conn.JetStream().Consumer(tb.Context(), stream.Stream, stream.ReplayConsumer(id))
	if err != nil {
		tb.Fatal(err)
	}
	cfg := k.CachedInfo().Config
	cfg.AckWait = wait
	if _, err := b.conn.JetStream().UpdateConsumer(tb.Context(), stream.Stream, cfg); err != nil {
		tb.Fatal(err)
	}
}
