package juliu_test

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/sink/postgres/postgrestest"
	"juliu/services/juliu"
)

// 37 records deleted from the stream, 11 rows from the sink, 5 rows damaged there: the audit names exactly those, repairs them, and then
// finds nothing. It never takes more than a tenth more calls than reading every row takes.
func TestAuditNamesAndRepairsWhatIsMissing(t *testing.T) {
	url := postgrestest.Database(t) // not parallel: the database stands in the environment
	t.Setenv("LOADER_POSTGRES_URL", url)
	const orders = 6000
	g := newGround(t, sandbox.Config{Seed: 1, Orders: orders, History: 72 * time.Hour})
	g.startExtractor(t, "1000", "EXTRACTOR_START", "80h")
	startProgram(t, map[string]string{"NATS_URL": g.nats, "HTTP_ADDR": "off", "LOADER_SINK": "postgres", "LOADER_POSTGRES_URL": url}, "loader")
	g.atRest(t)
	g.loaded(t)
	if code, report := g.audit(t, "--sink", "postgres", "--wait"); code != 0 || report.Found() > 0 || report.Sink.Rows != orders || report.Calls > 8 {
		t.Fatalf("exit code %d, want 0: %d calls, %+v, %v", code, report.Calls, report.Sink, named(report.Differences))
	}

	want := g.damage(t, url)
	bar := int64(math.Floor((float64(orders)/50 + 37.0/50) * 1.1))
	code, report := g.audit(t, "--sink", "postgres", "--wait")
	t.Logf("named with %d calls, at most %d", report.Calls, bar)
	if diff := cmp.Diff(want, named(report.Differences)); diff != "" || code != 1 || report.Calls > bar {
		t.Errorf("exit code %d, want 1; %d calls, at most %d (- want, + got):\n%s", code, report.Calls, bar, diff)
	}
	code, report = g.audit(t, "--sink", "postgres", "--wait", "--repair")
	t.Logf("repaired with %d calls", report.Calls)
	if diff := cmp.Diff(want, named(report.Differences)); diff != "" || code != 0 || report.Calls > bar || report.Repaired() != 53 {
		t.Errorf("with --repair exit code %d, want 0; %d repaired of 53, %d calls (- want, + got):\n%s", code, report.Repaired(), report.Calls, diff)
	}
	g.loaded(t)
	for _, exact := range []string{"--exact=false", "--exact"} {
		if code, report := g.audit(t, "--sink", "postgres", "--wait", exact); code != 0 || report.Found() > 0 || report.Calls > bar {
			t.Errorf("afterwards with %s exit code %d, want 0: %d calls, %v", exact, code, report.Calls, named(report.Differences))
		}
	}
	g.atRest(t)
}

// damage harms 53 orders and returns what an audit should name.
func (g *ground) damage(t *testing.T, url string) []string {
	t.Helper()
	sequences := g.sequences(t, time.Now().Add(-time.Minute))
	keys := slices.Collect(maps.Keys(sequences))[:53] // in no order
	var want []string
	for _, key := range keys[:37] {
		g.drop(t, sequences[key])
		want = append(want, "missing in stream: "+key)
	}
	postgrestest.Execute(t, url, "DELETE FROM juliu.sales_out_order WHERE io_id IN ("+strings.Join(keys[37:48], ",")+")")
	for _, key := range keys[37:48] {
		want = append(want, "missing in postgres: "+key)
	}
	for i, change := range []string{
		"sales_out_order SET pay_amount = coalesce(pay_amount, 0) + 1", "sales_out_order SET modified = modified + interval '1 day'",
		"sales_out_order SET raw = set_byte(raw, 20, 255 - get_byte(raw, 20))", "sales_out_order SET content_hash = set_byte(content_hash, 0, 255 - get_byte(content_hash, 0))",
		"sales_out_item SET qty = coalesce(qty, 0) + 1",
	} {
		key := keys[48+i]
		postgrestest.Execute(t, url, "UPDATE juliu."+change+" WHERE io_id = "+key)
		want = append(want, "altered in postgres: "+key)
	}
	slices.Sort(want)
	return want
}

func TestAuditTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing asked":            {nil, "--from"},
		"an unknown output":        {[]string{"--from", "3h", "--output", "xml"}, "markdown"},
		"a sink without rows":      {[]string{"--from", "3h", "--sink", "webhook"}, "postgres"},
		"a report and a window":    {[]string{"--job", "1", "--from", "3h"}, "give it alone"},
		"from after to":            {[]string{"--from", "2026-02-01", "--to", "2026-01-01"}, "before its end"},
		"more than a year":         {[]string{"--from", "2024-01-01", "--to", "2026-01-01"}, "year by year"},
		"a shop in words":          {[]string{"--from", "3h", "--shop", "mine"}, "--shop takes a shop_id"},
		"a sink without a address": {[]string{"--from", "3h", "--sink", "postgres"}, "LOADER_POSTGRES_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := juliu.App{Out: &out, Err: &errs, Now: time.Now}.Run(t.Context(), append([]string{"audit"}, test.args...))
			if code != 2 || !strings.Contains(errs.String(), test.want) {
				t.Errorf("exit code %d, want 2 and %q:\n%s", code, test.want, errs.String())
			}
		})
	}
}
