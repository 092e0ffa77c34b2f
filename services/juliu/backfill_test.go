package juliu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
	"juliu/services/juliu"
)

// A backfill of what lies before EXTRACTOR_START stores it, while orders move and the live lane takes them.
func TestBackfillStoresThePastBesideTheLiveFlow(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{
		Orders: 3000, History: 72 * time.Hour,
		Traffic: sandbox.Traffic{PerSecond: 40, NewShare: 0.4, EditShare: 0.2, LateShare: 0.05, LateMax: 4 * time.Second, DriftPerCall: 1},
	})
	ctx, stop := context.WithCancel(t.Context())
	traffic := make(chan error, 1)
	go func() { traffic <- g.box.Run(ctx) }()
	defer func() {
		stop()
		if err := <-traffic; err != nil {
			t.Error(err)
		}
	}()
	kill := g.startExtractor(t, "40")

	before := len(g.box.Ledger().Final())
	code, out, errs := g.juliu(t.Context(), "backfill", "--from", "80h", "--to", "1h", "--yes")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{"waiting for the extractor", "plan: ", " in the quota that is left over", " is done: ", "juliu read --last"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not say %q", want)
		}
	}
	if after := len(g.box.Ledger().Final()); after <= before {
		t.Errorf("%d orders before, %d after: no traffic during the backfill", before, after)
	}
	list, err := g.jobs.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != control.Done || list[0].Progress.Stored < 2000 {
		t.Errorf("the jobs are %+v, %v; want one, done, with most of the orders stored", list, err)
	}
	g.atRest(t)
	if log := kill(); strings.Count(log, "backfill done") != 1 {
		t.Error("the extractor's log does not say that the backfill is done")
	}
	if t.Failed() {
		t.Logf("%s%s", out, errs)
	}
}

// Paused, resumed, and killed half-way, a backfill goes on from where it was; nothing stands on the stream twice.
func TestBackfillGoesOnAfterPauseAndKill(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{Orders: 3000, History: 72 * time.Hour})
	kill := g.startExtractor(t, "10")
	id := g.start(t)
	past := func(rows int64) func(control.Job) bool {
		return func(job control.Job) bool { return job.Progress.Rows > rows || job.State.Ended() }
	}
	g.await(t, id, past(300))

	code, out, errs := g.juliu(t.Context(), "jobs", "pause", id, "--output", "json")
	var then struct {
		Progress struct {
			Rows int64 `json:"rows"`
		} `json:"progress"`
	}
	if err := json.Unmarshal([]byte(out), &then); code != 0 || err != nil || !strings.Contains(errs, "is paused") {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	// What the extractor had in hand is stored, and noted.
	paused := g.await(t, id, func(job control.Job) bool {
		return job.State == control.Paused && job.Progress.Rows > then.Progress.Rows
	})
	kill()
	kill = g.startExtractor(t, "10")
	g.steer(t, 0, "resume", id, "runs", "juliu jobs watch "+id)
	killed := g.await(t, id, past(paused.Progress.Rows+300))
	kill()
	if killed.State != control.Running {
		t.Fatalf("it is %s before it was killed; make the job longer", killed.State)
	}
	g.startExtractor(t, "1000")
	code, out, errs = g.juliu(t.Context(), "jobs", "watch", id, "--output", "json")
	if code != 0 || !strings.Contains(out, `"state":"done"`) {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	// Had it begun anew it would have counted the rows before twice.
	job := g.await(t, id, func(job control.Job) bool { return job.State == control.Done })
	if job.Progress.Rows != job.Plan.Rows {
		t.Errorf("%d rows read of %d, want each once", job.Progress.Rows, job.Plan.Rows)
	}
	g.atRest(t)
	if records := g.records(t); records != 3000 {
		t.Errorf("%d records on the stream, want 3000", records)
	}
}

func TestACancelledBackfillEnds(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{Orders: 3000, History: 72 * time.Hour})
	g.startExtractor(t, "10")
	id := g.start(t)
	watched := make(chan string, 1)
	go func() {
		code, out, errs := g.juliu(t.Context(), "jobs", "watch", id)
		if code != 1 {
			out = "it did not end with 1: " + out
		}
		watched <- out + errs
	}()
	g.await(t, id, func(job control.Job) bool { return job.Progress.Rows > 100 })
	g.steer(t, 0, "cancel", id, "is cancelled")
	if text := <-watched; !strings.Contains(text, "was cancelled after") || strings.Contains(text, "did not") {
		t.Error(text)
	}
	for _, verb := range []string{"pause", "resume", "cancel"} {
		g.steer(t, 1, verb, id, "it is cancelled")
	}
	// The extractor goes on with the next job.
	code, out, errs := g.juliu(t.Context(), "backfill", "--from", "3h", "--to", "2h", "--yes")
	if code != 0 {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// steer runs a verb of jobs.
func (g *ground) steer(t *testing.T, want int, verb, id string, texts ...string) {
	t.Helper()
	code, out, errs := g.juliu(t.Context(), "jobs", verb, id)
	for _, text := range texts {
		if code != want || !strings.Contains(out+errs, text) {
			t.Errorf("%s: exit code %d, want %d and %q in:\n%s%s", verb, code, want, text, out, errs)
		}
	}
}

func TestBackfillOfOneShop(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{Orders: 300, History: 72 * time.Hour})
	g.startExtractor(t, "1000")
	code, out, errs := g.juliu(t.Context(), "backfill", "--from", "80h", "--to", "1h", "--shop", "4711", "--yes")
	if code != 1 || !strings.Contains(errs, "failed") || !strings.Contains(errs, "170") {
		t.Errorf("an unknown shop: exit code %d, want 1 and the ERP's answer\n%s%s", code, out, errs)
	}
	code, out, errs = g.juliu(t.Context(), "backfill", "--from", "80h", "--to", "1h", "--shop", "10394533", "--yes")
	if code != 0 || !strings.Contains(out, "shop 10394533") {
		t.Errorf("a shop: exit code %d\n%s%s", code, out, errs)
	}
}

func TestBackfillByNumber(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{Orders: 200, History: 72 * time.Hour})
	numbers := g.numbers(t)
	file := filepath.Join(t.TempDir(), "numbers")
	if err := os.WriteFile(file, []byte(strings.Join(numbers, "\n")+"\nnobody's, "+numbers[0]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.startExtractor(t, "1000")
	code, out, errs := g.juliu(t.Context(), "backfill", "--so-ids", "@"+file, "--yes", "--output", "json")
	if code != 0 || !strings.Contains(out, fmt.Sprintf(`"orders":%d,`, len(numbers)+1)) || !strings.Contains(out, `"state":"done"`) {
		t.Errorf("exit code %d, want 0, the count, and the end\n%s%s", code, out, errs)
	}
	if strings.Contains(out+errs, numbers[0]) || strings.Contains(out+errs, "nobody's") {
		t.Error("the output shows order numbers")
	}
	g.atRest(t)
}

// numbers asks the ERP for the online order numbers of everything, in pages.
func (g *ground) numbers(t *testing.T) []string {
	t.Helper()
	client, err := jushuitan.New(jushuitan.Config{
		BaseURL: g.erp, AppKey: sandbox.DefaultAppKey, AppSecret: secret.New(sandbox.DefaultAppSecret),
		AccessToken: secret.New(sandbox.DefaultAccessToken), RatePerSecond: 1000, RatePerMinute: 60_000, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for index := 1; ; index++ {
		page, err := client.Query(t.Context(), jushuitan.SalesOut(), jushuitan.SalesOutQuery{
			Begin: jushuitan.At(time.Now().Add(-80 * time.Hour)), End: jushuitan.At(time.Now()), PageIndex: index, PageSize: 50,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Rows) == 0 { // several outbound orders may have one online number
			slices.Sort(numbers)
			return slices.Compact(numbers)
		}
		for _, row := range page.Rows {
			var order struct {
				Number string `json:"so_id"`
			}
			if err := json.Unmarshal(row, &order); err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, order.Number)
		}
	}
}

func TestWithoutATerminalAYesIsNeeded(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{Orders: 100, History: 72 * time.Hour})
	g.startExtractor(t, "1000")
	code, out, errs := g.juliu(t.Context(), "backfill", "--from", "80h", "--to", "1h")
	if code != 2 || !strings.Contains(out, "plan: ") || !strings.Contains(errs, "--yes") || !strings.Contains(errs, "is cancelled") {
		t.Errorf("exit code %d, want 2, the plan, and what to add\n%s%s", code, out, errs)
	}
	g.onlyJobIs(t, control.Cancelled)
}

func (g *ground) onlyJobIs(t *testing.T, want control.State) {
	t.Helper()
	if list, err := g.jobs.List(t.Context()); err != nil || len(list) != 1 || list[0].State != want {
		t.Errorf("the jobs are %+v, %v; want one that is %s", list, err, want)
	}
}

func TestNobodyPlans(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	var out, errs bytes.Buffer
	app := juliu.App{Out: &out, Err: &errs, Now: time.Now}.WithPatience(300 * time.Millisecond)
	code := app.Run(t.Context(), []string{"backfill", "--from", "3h", "--yes", "--data", g.data})
	for _, want := range []string{`no extractor of source "main"`, "EXTRACTOR_SOURCE", "is cancelled"} {
		if code != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("exit code %d, want 1 and %q in:\n%s", code, want, errs.String())
		}
	}
	g.onlyJobIs(t, control.Cancelled)
}

// An extractor that holds the lease may be slow to plan: it is named, and waited for until the operator has had enough.
func TestASlowExtractorIsNamed(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	log := logrus.New()
	log.SetOutput(io.Discard)
	leases, err := control.OpenLeases(t.Context(), g.conn, log)
	if err != nil {
		t.Fatal(err)
	}
	out := &told{want: "warehouse-1/4711", heard: make(chan struct{})}
	err = leases.Hold(t.Context(), "main", control.Holder{Name: out.want}, func(ctx context.Context) error {
		ctx, interrupt := context.WithCancel(ctx)
		go func() {
			<-out.heard
			interrupt()
		}()
		var errs bytes.Buffer
		app := juliu.App{Out: out, Err: &errs, Now: time.Now}.WithPatience(100 * time.Millisecond)
		code := app.Run(ctx, []string{"backfill", "--from", "3h", "--yes", "--data", g.data})
		if code != 1 || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("exit code %d, want 1 and the interruption named\n%s", code, errs.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	g.onlyJobIs(t, control.Cancelled)
}

// told is a writer that tells when something was written.
type told struct {
	want  string
	heard chan struct{}
}

func (w *told) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.want) {
		close(w.heard)
	}
	return len(p), nil
}

func TestBackfillTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing asked":            {nil, "--so-ids"},
		"an end without a begin":   {[]string{"--to", "1h"}, "--from"},
		"numbers and a window":     {[]string{"--so-ids", "a", "--to", "1h"}, "leave out"},
		"from after to":            {[]string{"--from", "2026-02-01", "--to", "2026-01-01"}, "before its end"},
		"a begin in the future":    {[]string{"--from", "2199-01-01", "--to", "2199-02-01"}, "future"},
		"a time without a zone":    {[]string{"--from", "2026-01-31 10:00:00"}, "--from takes a time with its zone"},
		"a negative time ago":      {[]string{"--from", "-3h"}, "--from takes"},
		"a status of nobody":       {[]string{"--from", "3h", "--status", "Shipped"}, "Confirmed"},
		"a shop in words":          {[]string{"--from", "3h", "--shop", "mine"}, "--shop takes a shop_id"},
		"a file that is not there": {[]string{"--so-ids", "@/nowhere/numbers"}, "--so-ids"},
		"no numbers":               {[]string{"--so-ids", " , "}, "no order number"},
		"too many numbers":         {[]string{"--so-ids", tooMany()}, "split"},
		"an unknown output":        {[]string{"--from", "3h", "--output", "xml"}, "json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := juliu.App{Out: &out, Err: &errs, Now: time.Now}.Run(t.Context(), append([]string{"backfill"}, test.args...))
			if code != 2 || !strings.Contains(errs.String(), test.want) || strings.Count(errs.String(), "\n") != 1 {
				t.Errorf("exit code %d, want 2 and one line with %q:\n%s", code, test.want, errs.String())
			}
		})
	}
}

// tooMany are more order numbers than a job holds.
func tooMany() string {
	var text strings.Builder
	for at := range 40_000 {
		text.WriteString(time.Unix(int64(at), 0).UTC().Format("20060102150405,"))
	}
	return text.String()
}
