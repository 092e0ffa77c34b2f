package juliu_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/services/extractor"
	"juliu/services/juliu"
)

func TestJobsListIsATableOrOneObjectALine(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	jobs, err := control.OpenJobs(t.Context(), g.conn, clock)
	if err != nil {
		t.Fatal(err)
	}
	shop := int64(10394533)
	january := extractor.Backfill{From: time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC), ShopID: &shop}
	create(t, jobs, january, func(j *control.Job) {
		j.Plan = &control.Plan{Calls: 60, Rows: 2946, Duration: 2*time.Hour + 10*time.Minute}
		j.Progress = control.Progress{Cursor: january.From.Add(time.Hour), Calls: 25, Rows: 1234, Stored: 1200, Remaining: 75 * time.Minute}
	}, control.Planned, control.Running)
	now = now.Add(time.Minute)
	create(t, jobs, extractor.Backfill{SoIDs: []string{"secret-1", "secret-2"}, Archive: true, Status: "Confirmed"}, func(j *control.Job) {
		j.Plan = &control.Plan{}
	}, control.Planned)
	now = now.Add(time.Minute)
	create(t, jobs, extractor.Backfill{From: january.From.Add(90 * time.Minute), To: january.To}, func(j *control.Job) {
		j.Problem = "the ERP does not know\tthe shop"
	}, control.Failed)
	now = now.Add(time.Minute)
	create(t, jobs, january, nil)

	table := `ID   KIND      SOURCE  WHAT                                          STATE     PROGRESS            LEFT        PROBLEM
id4  backfill  main    2026-01-01 … 2026-02-01 shop 10394533         planning  0 rows              -           -
id3  backfill  main    2026-01-01 01:30:00 … 2026-02-01              failed    0 rows              -           the ERP does not know the shop
id2  backfill  main    2 orders by number status Confirmed archived  planned   0 rows              -           -
id1  backfill  main    2026-01-01 … 2026-02-01 shop 10394533         running   41% 1234/2946 rows  1 h 15 min  -
`
	lines := `{"id":"id4","kind":"backfill","source":"main","state":"planning","from":"2025-12-31T16:00:00Z","to":"2026-01-31T16:00:00Z","shop_id":10394533,"progress":{"calls":0,"rows":0,"stored":0,"remaining_seconds":0},"created":"2026-11-24T08:03:00Z","updated":"2026-11-24T08:03:00Z"}
{"id":"id3","kind":"backfill","source":"main","state":"failed","from":"2025-12-31T17:30:00Z","to":"2026-01-31T16:00:00Z","progress":{"calls":0,"rows":0,"stored":0,"remaining_seconds":0},"problem":"the ERP does not know\tthe shop","created":"2026-11-24T08:02:00Z","updated":"2026-11-24T08:02:00Z","ended":"2026-11-24T08:02:00Z"}
{"id":"id2","kind":"backfill","source":"main","state":"planned","orders":2,"status":"Confirmed","archive":true,"plan":{"known":false,"calls":0,"rows":0,"seconds":0},"progress":{"calls":0,"rows":0,"stored":0,"remaining_seconds":0},"created":"2026-11-24T08:01:00Z","updated":"2026-11-24T08:01:00Z"}
{"id":"id1","kind":"backfill","source":"main","state":"running","from":"2025-12-31T16:00:00Z","to":"2026-01-31T16:00:00Z","shop_id":10394533,"plan":{"known":true,"calls":60,"rows":2946,"seconds":7800},"progress":{"cursor":"2025-12-31T17:00:00Z","calls":25,"rows":1234,"stored":1200,"remaining_seconds":4500},"created":"2026-11-24T08:00:00Z","started":"2026-11-24T08:00:00Z","updated":"2026-11-24T08:00:00Z"}
`
	for output, want := range map[string]string{"table": table, "json": lines} {
		var out, errs bytes.Buffer
		code := juliu.App{Out: &out, Err: &errs, Now: clock}.Run(t.Context(), []string{"jobs", "list", "--output", output, "--data", g.data})
		if code != 0 || errs.Len() > 0 {
			t.Fatalf("exit code %d\n%s", code, errs.String())
		}
		got := regexp.MustCompile(`20261124-080(\d)00-[a-z0-9]{3}`).ReplaceAllStringFunc(out.String(), func(id string) string {
			return "id" + string(id[12]+1)
		})
		if output == "table" { // the ids were longer
			got = regexp.MustCompile(`(?m)^(\S+) +`).ReplaceAllStringFunc(got, func(s string) string { return (strings.TrimSpace(s) + "    ")[:5] })
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", output, diff)
		}
	}
}

func TestJobsWithoutJobs(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	if code, out, errs := g.juliu(t.Context(), "jobs", "list"); code != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "juliu backfill") || errs != "" {
		t.Errorf("exit code %d, want 0 and one line with what to do:\n%s%s", code, out, errs)
	}
	if code, out, _ := g.juliu(t.Context(), "jobs", "list", "--output", "json"); code != 0 || out != "" {
		t.Errorf("exit code %d, want 0 and no line:\n%s", code, out)
	}
	for _, verb := range []string{"watch", "pause", "resume", "cancel"} {
		g.steer(t, 1, verb, "20261124-161633-k3f", "no such job", "juliu jobs list")
	}
	for _, args := range [][]string{{"jobs", "watch"}, {"jobs", "stop", "x"}, {"jobs", "list", "--output", "xml"}} {
		if code, _, errs := g.juliu(t.Context(), args...); code != 2 {
			t.Errorf("%v: exit code %d, want 2\n%s", args, code, errs)
		}
	}
}

func TestAStateThatCannotFollowIsRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	job := create(t, g.jobs, extractor.Backfill{SoIDs: []string{"a"}}, nil)
	g.steer(t, 1, "pause", job.ID, "it is planning", "juliu jobs list")
	g.steer(t, 1, "resume", job.ID, "it is planning")
	g.steer(t, 0, "cancel", job.ID, "is cancelled")
}

func TestDurationsAreSpelt(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "1 s", 45 * time.Second: "45 s", 12*time.Minute + 20*time.Second: "12 min", 130 * time.Minute: "2 h 10 min", 100 * time.Hour: "4 d 4 h",
	} {
		if got := juliu.Spell(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
