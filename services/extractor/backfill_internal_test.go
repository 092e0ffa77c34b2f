package extractor

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan/sandbox"
)

// desk is a list of jobs without a server.
type desk struct {
	mu      sync.Mutex
	job     control.Job
	changed chan struct{}
}

func (d *desk) Create(_ context.Context, kind, source string, spec any) (control.Job, error) {
	asked, err := json.Marshal(spec)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.job = control.Job{ID: "1", Kind: kind, Source: source, State: control.Planning, Spec: asked, Created: time.Now()}
	select {
	case d.changed <- struct{}{}:
	default:
	}
	return d.job, err
}

func (d *desk) List(context.Context) ([]control.Job, error) { return []control.Job{d.look()}, nil }

func (d *desk) Watch(ctx context.Context, fn func(control.Job) error) error {
	for {
		d.mu.Lock()
		job := d.job
		d.mu.Unlock()
		if err := fn(job); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.changed:
		}
	}
}

func (d *desk) Change(_ context.Context, _ string, edit func(*control.Job) error) (control.Job, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	job := d.job
	if err := edit(&job); err != nil {
		return d.job, err
	}
	d.job = job
	select {
	case d.changed <- struct{}{}:
	default:
	}
	return job, nil
}

func (d *desk) look() control.Job {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.job
}

// A backfill of some thousand orders takes as long as its plan said, and the live lane goes on as if it were not there.
func TestABackfillTakesAsLongAsItsPlanSays(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string][2]time.Duration{
		"the quota is what bounds it":       {100 * time.Millisecond, 400 * time.Millisecond},
		"the ERP's slowness is what bounds": {1500 * time.Millisecond, 2500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWalk(t, sandbox.Config{Seed: 1, Orders: 6000, History: 30 * 24 * time.Hour, RatePerSecond: 5, RatePerMinute: 100}, 2, func(c *Config) {
					c.Start = time.Now().Add(-time.Hour)
				})
				w.erp.slow = slow
				w.catchUp(t)
				<-time.After(2 * time.Minute)
				w.catchUp(t)
				plan, took := backfillBeside(t, w)
				off := float64(took)/float64(plan.Duration) - 1
				t.Logf("planned %d calls, %v; took %v, %+.1f %% off", plan.Calls, plan.Duration.Round(time.Second), took.Round(time.Second), 100*off)
				if off < -0.1 || off > 0.1 {
					t.Error("more than 10 % off")
				}
				if stale := w.stream.behind - w.poller.cfg.Settle; stale > w.poller.cfg.Interval+5*time.Second+2*slow[1] {
					t.Errorf("the live lane fell %v behind", stale)
				}
				w.rest(t)
				if lost := w.lost(); len(lost) > 0 || len(w.stream.faults) > 0 {
					t.Errorf("lost %d orders, faults %v", len(lost), w.stream.faults)
				}
			})
		})
	}
}

// backfillBeside carries out a backfill of everything before the live lane's start, which goes on beside it.
func backfillBeside(t *testing.T, w *walked) (control.Plan, time.Duration) {
	t.Helper()
	spec, err := json.Marshal(Backfill{From: time.Now().Add(-31 * 24 * time.Hour), To: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{changed: make(chan struct{}, 1), job: control.Job{ID: "1", Kind: BackfillKind, Source: "main", State: control.Planning, Spec: spec}}
	b := newBackfiller(w.poller.cfg, d, w.poller.writer, w.newReader, w.client.Usage, w.poller.log, time.Now)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	w.stream.behind = 0
	group.Go(func() { _ = w.poller.Run(ctx, t.Context()) })
	group.Go(func() { _ = b.Run(ctx, t.Context()) })
	until := func(s control.State) control.Job {
		for d.look().State != s {
			if job := d.look(); job.State.Ended() {
				t.Fatalf("the job is %s: %s", job.State, job.Problem)
			}
			<-time.After(time.Second)
		}
		return d.look()
	}
	plan := *until(control.Planned).Plan
	if _, err := d.Change(ctx, "1", func(j *control.Job) error { return j.Move(control.Running) }); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	until(control.Done)
	took := time.Since(began)
	stop()
	group.Wait()
	return plan, took
}
