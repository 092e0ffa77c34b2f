package juliu_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"juliu/pkg/jushuitan/sandbox"
)

// The bar, by the real loader and the real command: 560 records fail for four causes; 60 of their orders change. Requeued at once, inside the
// duplicate window, 500 are loaded, 60 end as superseded, and nothing is lost or loaded twice. The proof of the stream stays whole.
func TestRequeueLoadsWhatFailedAndSupersedesWhatChanged(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	g.commitOrders(t, 560, 1, 1)
	sick := &fussy{got: map[string][]int64{}}
	g.load(t, sick)

	code, out, errs := g.juliu(t.Context(), "dlq", "groups", "--output", "json")
	if code != 0 || strings.Count(out, "\n") != 4 || strings.Count(out, `"count":140,`) != 4 || !strings.Contains(out, "127.0.0.1:…: broken pipe") {
		t.Fatalf("exit code %d, want four causes of 140\n%s%s", code, out, errs)
	}
	g.commitOrders(t, 60, 9, 2)
	code, out, errs = g.juliu(t.Context(), "dlq", "requeue", "--all", "--dry-run")
	if code != 0 || !strings.Contains(out, "plan: 500 given to the loaders again, 60 superseded by newer versions and removed\na dry run") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs = g.juliu(t.Context(), "dlq", "requeue", "--all", "--yes", "--output", "json")
	if code != 0 || strings.Count(out, `"outcome":"requeued"`) != 500 || strings.Count(out, `"outcome":"superseded"`) != 60 || !strings.Contains(errs, "done: 500 ") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if snap := g.snapshot(t); snap.Lag() != 560 || snap.DeadLetters != 0 || snap.Records != 620 {
		t.Errorf("500 copies and 60 new versions are to wait: %+v", snap)
	}
	// One that fails again is one entry with the next attempt.
	g.load(t, sick)
	_, out, _ = g.juliu(t.Context(), "dlq", "list", "--output", "json")
	if strings.Count(out, `"attempt":2`) != 500 || strings.Count(out, `"attempt":1`) != 60 {
		t.Errorf("%d entries of attempt 2, %d of attempt 1", strings.Count(out, `"attempt":2`), strings.Count(out, `"attempt":1`))
	}
	if code, out, errs = g.juliu(t.Context(), "dlq", "requeue", "--all", "--yes"); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	well := &fussy{cured: true, got: map[string][]int64{}}
	g.load(t, well)
	loadedOnce(t, well, 560, 9, 60)
	if snap := g.snapshot(t); snap.DeadLetters != 0 || well.tries != 560 {
		t.Errorf("%d writes, %+v", well.tries, snap)
	}
}

// loadedOnce checks that each order is loaded once, in its newest version: every step-th of the first changed in version 2.
func loadedOnce(t *testing.T, f *fussy, count, step, changed int) {
	t.Helper()
	for n := range count {
		want := []int64{1}
		if n%step == 0 && n/step < changed {
			want = []int64{2}
		}
		if got := f.got[strconv.Itoa(5000+n)]; !slices.Equal(got, want) {
			t.Errorf("order %d is loaded in versions %v, want %v", n, got, want)
		}
	}
}

// Kill the tool at each of its steps; run it again: nothing is lost, nothing is given to the loaders twice.
func TestRequeueKilledAtAnyStepNeitherLosesNorDoubles(t *testing.T) {
	t.Parallel()
	for _, step := range []string{
		"requeue-noted:kill", "requeue-published:kill", "requeue-published:kill:5", "requeue-published:kill:10", "requeue-deleted:kill",
		"requeue-deleted:kill:6", "requeue-deleted:kill:12",
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, sandbox.Config{})
			g.commitOrders(t, 12, 1, 1)
			g.load(t, &fussy{})
			g.commitOrders(t, 2, 5, 2) // orders 0 and 5
			code, out, _ := command(t.Context(), t, map[string]string{"FAILPOINT": step, "NATS_URL": g.nats}, failingDesk,
				"dlq", "requeue", "--all", "--yes", "--output", "json").run(t)
			if code != -1 {
				t.Fatalf("exit code %d, it was not killed\n%s", code, out)
			}
			code, out, errs := g.juliu(t.Context(), "dlq", "requeue", "--all", "--yes", "--output", "json")
			if code != 0 {
				t.Fatalf("exit code %d\n%s%s", code, out, errs)
			}
			if finished := strings.Contains(out, `"finished"`); finished != strings.HasPrefix(step, "requeue-published") {
				t.Errorf("the copy that stood is found: %v\n%s", finished, out)
			}
			for line := range strings.Lines(out) {
				if !json.Valid([]byte(line)) {
					t.Errorf("not JSON: %s", line)
				}
			}
			well := &fussy{cured: true, got: map[string][]int64{}}
			g.load(t, well)
			loadedOnce(t, well, 12, 5, 2)
			if snap := g.snapshot(t); snap.DeadLetters != 0 || well.tries != 12 {
				t.Errorf("%d dead letters are left, %d writes; want none and 12", snap.DeadLetters, well.tries)
			}
		})
	}
}
