package extractor

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/jushuitan/sandbox"
)

// A start that was given as "an hour back" must not move with each restart: what showed late before it would never be swept.
func TestASweepReachesBackToWhereTheSourceBegan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hourBack := func(c *Config) { c.Start = time.Now().Add(-time.Hour) }
		w := newWalk(t, sandbox.Config{Seed: 1, Orders: 300}, 0, hourBack)
		began := w.poller.cfg.Start
		w.catchUp(t)
		<-time.After(10 * time.Hour)
		w.open(t, hourBack)
		w.catchUp(t)
		if w.sweep.begin(); !w.sweep.rest.Begin.Equal(began.Truncate(time.Second)) {
			t.Errorf("the sweep begins at %v, the source at %v", w.sweep.rest.Begin, began)
		}
	})
}

// A sweep begins at once where there was none, then on schedule; a restart does not begin one before its time, and trouble only delays it.
func TestSweepsComeOnSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWalk(t, sandbox.Config{Seed: 1, Orders: 300}, 0, asIs)
		w.erp.box.SetFaults(sandbox.Faults{})
		w.catchUp(t)
		sweptAt := func() time.Time { return w.stream.checkpoint.GetSweptAt().AsTime() }
		run := func(d time.Duration) {
			ctx, stop := context.WithTimeout(t.Context(), d)
			defer stop()
			var group sync.WaitGroup
			group.Go(func() {
				if err := w.sweep.Run(ctx, t.Context()); err != nil {
					t.Error(err)
				}
			})
			group.Wait()
		}
		began := time.Now()
		run(30 * time.Minute)
		if first := sweptAt(); first.Sub(began) > time.Minute {
			t.Fatalf("the first sweep began at %v, %v after the start", first, first.Sub(began))
		}
		for _, after := range []time.Duration{20 * time.Minute, 3 * time.Hour} {
			w.open(t, asIs) // the process starts anew
			before := sweptAt()
			run(after)
			if got, want := sweptAt().Sub(before), (30*time.Minute + after).Truncate(time.Hour); got.Round(10*time.Minute) != want {
				t.Errorf("after %v more the last sweep is %v later, want %v", after, got, want)
			}
		}
		w.erp.box.SetFaults(sandbox.Faults{HTTP502: sandbox.Odds{Rate: 1}})
		before := sweptAt()
		run(2 * time.Hour)
		if !sweptAt().Equal(before) {
			t.Error("a sweep that reads nothing counts as done")
		}
		w.erp.box.SetFaults(sandbox.Faults{})
		run(5 * time.Minute)
		if sweptAt().Equal(before) {
			t.Error("the sweep did not go on when the trouble was over")
		}
	})
}
