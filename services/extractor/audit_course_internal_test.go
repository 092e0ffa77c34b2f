package extractor

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/pkg/jushuitan/sandbox"
)

// An audit that was interrupted goes on where it was, with what it had found.
func TestAnAuditGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, random := stored(t, 5, asIs, func(c *sandbox.Config) { c.History = 75 * time.Hour })
		want := w.forgetful(random, 20)
		asked, err := json.Marshal(Audit{From: w.poller.cfg.Start, To: time.Now(), Repair: true})
		if err != nil {
			t.Fatal(err)
		}
		d := &desk{changed: make(chan struct{}, 1), job: control.Job{ID: "1", Kind: AuditKind, Source: "main", State: control.Running, Spec: asked}}
		stops := 0
		for !d.look().State.Ended() && stops < 100 {
			// Each process reads one day and dies.
			ctx, stop := context.WithCancel(t.Context())
			a := newAuditor(w.poller.cfg, oneChange{d, stop}, w.poller.writer, w.newReader, w.poller.log, w.poller.metrics, time.Now)
			_ = a.carryOut(ctx, t.Context(), d.look())
			stop()
			stops++
		}
		var report audit.Report
		if err := json.Unmarshal(d.look().Report, &report); err != nil {
			t.Fatal(err)
		}
		begins := map[string]bool{}
		for _, window := range report.Windows {
			begins[fmt.Sprint(window.Begin)] = true
		}
		if diff := cmp.Diff(want, kinds(report)); diff != "" || stops < 3 || len(begins) != len(report.Windows) || report.Calls != d.look().Progress.Calls {
			t.Errorf("%d starts, %d days of %d (- want, + got):\n%s", stops, len(begins), len(report.Windows), diff)
		}
	})
}

// An audit that waits for orders to settle, while the live lane stands still, lets go when it is cancelled: the next one has its turn.
func TestACancelledAuditWaitsNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := stored(t, 2, asIs, nil)
		spec := Audit{From: time.Now().Add(-time.Hour), To: time.Now(), Wait: true}
		d := &desk{changed: make(chan struct{}, 1)}
		move := func(to control.State) {
			if _, err := d.Change(t.Context(), "1", func(j *control.Job) error { return j.Move(to) }); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Minute)
		}
		ask := func() {
			if _, err := d.Create(t.Context(), AuditKind, "main", spec); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Minute)
		}
		ask()
		ctx, stop := context.WithCancel(t.Context())
		var group sync.WaitGroup
		a := newAuditor(w.poller.cfg, d, w.poller.writer, w.newReader, w.poller.log, w.poller.metrics, time.Now)
		group.Go(func() {
			if err := a.Run(ctx, t.Context()); err != nil {
				t.Error(err)
			}
		})
		<-time.After(time.Minute)
		move(control.Running)
		move(control.Cancelled)
		ask()
		if job := d.look(); job.State != control.Planned {
			t.Errorf("the next audit is %s", job.State)
		}
		stop()
		group.Wait()
	})
}

// An audit that was paused at its end, and goes on when more has settled, has not ended until it has.
func TestAnAuditThatGoesOnHasNotEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := stored(t, 5, asIs, func(c *sandbox.Config) { c.History = 50 * time.Hour })
		before, err := json.Marshal(audit.Report{Job: "1", Began: time.Now(), Ended: time.Now(), Windows: []audit.Window{}})
		if err != nil {
			t.Fatal(err)
		}
		asked, err := json.Marshal(Audit{From: w.poller.cfg.Start, To: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		d := &desk{changed: make(chan struct{}, 1), job: control.Job{ID: "1", Kind: AuditKind, Source: "main", State: control.Running, Spec: asked, Report: before}}
		ctx, stop := context.WithCancel(t.Context())
		a := newAuditor(w.poller.cfg, oneChange{d, stop}, w.poller.writer, w.newReader, w.poller.log, w.poller.metrics, time.Now)
		_ = a.carryOut(ctx, t.Context(), d.look())
		var report audit.Report
		if err := json.Unmarshal(d.look().Report, &report); err != nil || len(report.Windows) != 1 || !report.Ended.IsZero() {
			t.Errorf("after %d days it ended at %v, %v", len(report.Windows), report.Ended, err)
		}
	})
}

// oneChange ends the work after each change.
type oneChange struct {
	*desk

	stop func()
}

func (d oneChange) Change(ctx context.Context, id string, edit func(*control.Job) error) (control.Job, error) {
	defer d.stop()
	return d.desk.Change(ctx, id, edit)
}

// Audits come on schedule, a restart does not begin one before its time, and what they find is repaired.
func TestAuditsComeOnSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, random := stored(t, 2, func(c *Config) { c.AuditEvery, c.AuditSpan = 24*time.Hour, 168*time.Hour }, nil)
		d := &desk{changed: make(chan struct{}, 1), job: control.Job{ID: "0", Kind: BackfillKind, Source: "main", State: control.Done}}
		run := func(length time.Duration) {
			ctx, stop := context.WithTimeout(t.Context(), length)
			defer stop()
			a := newAuditor(w.poller.cfg, d, w.poller.writer, w.newReader, w.poller.log, w.poller.metrics, time.Now)
			var group sync.WaitGroup
			group.Go(func() { _ = w.poller.Run(ctx, t.Context()) })
			group.Go(func() {
				if err := a.Run(ctx, t.Context()); err != nil {
					t.Error(err)
				}
			})
			group.Wait()
		}
		w.forgetful(random, 8)
		run(time.Hour)
		first := d.look()
		if first.Kind != AuditKind || first.State != control.Done || first.Progress.Stored != 8 || len(w.lost()) > 0 {
			t.Fatalf("the job is %s %s, stored %d of 8: %s", first.Kind, first.State, first.Progress.Stored, first.Problem)
		}
		run(20 * time.Hour)
		if !d.look().Created.Equal(first.Created) {
			t.Error("a restart began another audit before its time")
		}
		run(4 * time.Hour)
		if again := d.look().Created.Sub(first.Created); again < 24*time.Hour || again > 25*time.Hour || d.look().State != control.Done {
			t.Errorf("the next audit came after %v and is %s", again, d.look().State)
		}
	})
}
