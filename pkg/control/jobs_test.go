package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

// clock ticks a second each time it is asked.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func openJobs(tb testing.TB, conn *stream.Conn) *control.Jobs {
	tb.Helper()
	ticking := &clock{now: epoch().Add(-time.Second)}
	jobs, err := control.OpenJobs(tb.Context(), conn, ticking.read)
	if err != nil {
		tb.Fatal(err)
	}
	return jobs
}

func create(tb testing.TB, jobs *control.Jobs) control.Job {
	tb.Helper()
	job, err := jobs.Create(tb.Context(), "backfill", source, map[string]string{"from": "2026-11-01"})
	if err != nil {
		tb.Fatal(err)
	}
	return job
}

func move(to control.State) func(*control.Job) error {
	return func(job *control.Job) error { return job.Move(to) }
}

func TestAJobsLife(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	jobs := openJobs(t, conn)
	job := create(t, jobs)
	at := func(n int) time.Time { return epoch().Add(time.Duration(n) * time.Second) }
	want := control.Job{
		ID: job.ID, Kind: "backfill", Source: source, State: control.Planning, Spec: json.RawMessage(`{"from":"2026-11-01"}`),
		Created: at(0), Updated: at(0),
	}
	if !strings.HasPrefix(job.ID, "20261124-161633-") || len(job.ID) != len("20261124-161633-k3f") {
		t.Errorf("id %s", job.ID)
	}
	stored := func(got control.Job, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
		got, err = jobs.Find(t.Context(), job.ID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("stored: %v %s", err, diff)
		}
	}
	stored(job, nil)
	want.State, want.Updated, want.Plan = control.Planned, at(1), &control.Plan{Calls: 9, Rows: 400, Duration: time.Minute}
	stored(jobs.Change(t.Context(), job.ID, func(j *control.Job) error {
		j.Plan = &control.Plan{Calls: 9, Rows: 400, Duration: time.Minute}
		j.ID, j.Kind, j.Source, j.Created, j.Ended = "x", "y", "z", time.Time{}, at(0) // not the caller's
		return j.Move(control.Planned)
	}))
	want.State, want.Updated, want.Started = control.Running, at(2), at(2)
	stored(jobs.Change(t.Context(), job.ID, move(control.Running)))
	want.State, want.Updated = control.Paused, at(3)
	stored(jobs.Change(t.Context(), job.ID, move(control.Paused)))
	want.State, want.Updated = control.Running, at(4)
	stored(jobs.Change(t.Context(), job.ID, move(control.Running)))
	refused := errors.New("refused")
	if got, err := jobs.Change(t.Context(), job.ID, func(j *control.Job) error {
		j.Plan.Calls = 77
		return refused
	}); !errors.Is(err, refused) || got.Plan.Calls != 9 {
		t.Errorf("%+v, %v", got.Plan, err)
	}
	if _, err := jobs.Change(t.Context(), job.ID, func(j *control.Job) error {
		j.State = control.Planning // past Move
		return nil
	}); !errors.Is(err, control.ErrTransition) {
		t.Error(err)
	}
	want.State, want.Updated, want.Ended, want.Progress = control.Done, at(5), at(5), control.Progress{Cursor: at(0), Calls: 8, Rows: 399, Stored: 7}
	stored(jobs.Change(t.Context(), job.ID, func(j *control.Job) error {
		j.Progress = control.Progress{Cursor: at(0), Calls: 8, Rows: 399, Stored: 7}
		return j.Move(control.Done)
	}))
	if _, err := jobs.Change(t.Context(), job.ID, func(*control.Job) error { return refused }); !errors.Is(err, control.ErrEnded) {
		t.Error(err)
	}
	for _, id := range []string{"nothing", "*", ">", "", job.ID + ".x"} {
		if _, err := jobs.Find(t.Context(), id); !errors.Is(err, control.ErrNoJob) {
			t.Errorf("find %q: %v", id, err)
		}
		if _, err := jobs.Change(t.Context(), id, move(control.Failed)); !errors.Is(err, control.ErrNoJob) {
			t.Errorf("change %q: %v", id, err)
		}
	}
}

func TestNoChangeOfAJobIsLost(t *testing.T) {
	t.Parallel()
	const workers, changes = 8, 15
	server, conn := setup(t)
	job := create(t, openJobs(t, conn))
	if _, err := openJobs(t, conn).Change(t.Context(), job.ID, move(control.Planned)); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for n := range workers {
		jobs := openJobs(t, connect(t, server.URL()))
		group.Go(func() {
			for range changes {
				if _, err := jobs.Change(t.Context(), job.ID, func(j *control.Job) error {
					j.Progress.Calls++
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
			if n == 0 { // the operator, among the workers
				if _, err := jobs.Change(t.Context(), job.ID, move(control.Paused)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got, err := openJobs(t, conn).Find(t.Context(), job.ID)
	if err != nil || got.Progress.Calls != workers*changes || got.State != control.Paused {
		t.Errorf("%d changes and state %s, want %d: %v", got.Progress.Calls, got.State, workers*changes, err)
	}
}

func TestJobsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	jobs := openJobs(t, conn)
	began := time.Now()
	if got, err := jobs.List(t.Context()); err != nil || len(got) != 0 || time.Since(began) > time.Second {
		t.Errorf("an empty list: %v, %v after %v", got, err, time.Since(began))
	}
	var want []string
	for range 300 {
		want = append([]string{create(t, jobs).ID}, want...)
	}
	if _, err := jobs.Change(t.Context(), want[7], move(control.Failed)); err != nil {
		t.Fatal(err)
	}
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.JobBucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), "backfill."+want[3]); err != nil {
		t.Fatal(err)
	}
	want = append(want[:3], want[4:]...)
	for id, body := range map[string]string{"torn": `{"id":`, "moved": `{"id":"other","kind":"backfill"}`} {
		key := "backfill." + id
		if _, err := kv.PutString(t.Context(), key, body); err != nil {
			t.Fatal(err)
		}
		if _, err := jobs.Change(t.Context(), id, move(control.Running)); err == nil || !strings.Contains(err.Error(), "nats kv del juliu-jobs "+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	want = append(want, "torn", "moved") // without a time they come last
	got, err := jobs.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 0, len(got))
	for _, job := range got {
		ids = append(ids, job.ID)
		if !job.Created.IsZero() {
			continue
		}
		if job.State != control.Failed || job.Problem == "" {
			t.Errorf("an unreadable job is %+v", job)
		}
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
}

func TestAListEndsWhileJobsChange(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	jobs := openJobs(t, conn)
	job := create(t, jobs)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			_, _ = jobs.Change(ctx, job.ID, func(j *control.Job) error {
				j.Progress.Calls++
				return nil
			})
		}
	})
	for range 20 {
		got, err := jobs.List(t.Context())
		if err != nil || len(got) != 1 || got[0].ID != job.ID {
			t.Errorf("%v, %v", got, err)
		}
	}
	stop()
	group.Wait()
}

func TestWatchGoesOnOverARestartOfNATS(t *testing.T) {
	t.Parallel()
	server, same := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	if _, err := control.Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	jobs := openJobs(t, conn)
	first := create(t, jobs)
	second := create(t, jobs)
	ctx, stop := context.WithCancel(t.Context())
	seen := make(chan string, 100)
	result := make(chan error, 1)
	go func() {
		result <- jobs.Watch(ctx, func(job control.Job) error {
			seen <- job.ID + " " + string(job.State) + " " + strconv.FormatInt(job.Progress.Calls, 10)
			return nil
		})
	}()
	expect := func(limit time.Duration, id string, state control.State, calls int) {
		t.Helper()
		want := id + " " + string(state) + " " + strconv.Itoa(calls)
		if got, _ := within(t, want, limit, seen); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	expect(5*time.Second, first.ID, control.Planning, 0)
	expect(5*time.Second, second.ID, control.Planning, 0)
	if _, err := jobs.Change(t.Context(), first.ID, move(control.Planned)); err != nil {
		t.Fatal(err)
	}
	expect(5*time.Second, first.ID, control.Planned, 0)
	for n := range 2 {
		server.Close()
		server, _ = serve(t, same)
		eventually(t, "it is changed again", func() bool {
			_, err := jobs.Change(t.Context(), second.ID, func(j *control.Job) error {
				j.Progress.Calls = int64(n + 1)
				return nil
			})
			return err == nil
		})
		expect(15*time.Second, second.ID, control.Planning, n+1)
	}
	stop()
	if err, _ := within(t, "the end", 2*time.Second, result); err != nil {
		t.Error(err)
	}
	enough := errors.New("enough")
	if err := jobs.Watch(t.Context(), func(control.Job) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	if len(seen) > 0 {
		t.Errorf("%d more, such as %s", len(seen), <-seen)
	}
}
