package juliu_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/stream"
)

// startLoader runs the real program with the sink jsonl, and returns the folder of its files.
func (g *ground) startLoader(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	startProgram(t, map[string]string{
		"NATS_URL": g.nats, "HTTP_ADDR": "off", "LOADER_SINK": "jsonl", "LOADER_JSONL_PATH": filepath.Join(dir, "orders.jsonl"),
	}, "loader")
	return dir
}

func TestReplayLoadsWhatItsDryRunCounts(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	g.commitOrders(t, 60, 1, 1)
	g.commitOrders(t, 20, 2, 2) // newer versions of some
	dir := g.startLoader(t)
	for i, test := range []struct {
		args []string
		want int
	}{
		{[]string{"--from-seq", "1"}, 80},
		{[]string{"--last-per-order"}, 60},
		{[]string{"--since", "1h", "--shop", "11"}, 30},
		{[]string{"--from-seq", "1", "--order", "5002"}, 2},
		{[]string{"--from", "2026-01-01", "--order", "5002", "--last-per-order", "--force"}, 1},
		{[]string{"--from-seq", "62", "--status", "Confirmed"}, 20},
	} {
		code, out, errs := g.juliu(t.Context(), append([]string{"replay", "--dry-run", "-o", "json"}, test.args...)...)
		if code != 0 || !strings.Contains(out, fmt.Sprintf(`{"records":%d,`, test.want)) || strings.Count(out, "\n") != 1 || errs != "" {
			t.Errorf("%v: exit code %d, want %d records\n%s%s", test.args, code, test.want, out, errs)
		}
		file := fmt.Sprintf("again-%d.jsonl", i)
		code, out, errs = g.juliu(t.Context(), append([]string{"replay", "--yes", "--wait", "-o", "json", "--sink", "jsonl:" + file}, test.args...)...)
		if code != 0 {
			t.Fatalf("%v: exit code %d\n%s%s", test.args, code, out, errs)
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		done := regexp.MustCompile(fmt.Sprintf(`"state":"done",.*"rows":%d,"stored":%[1]d,.*\n$`, test.want))
		if err != nil || !done.MatchString(out) || strings.Count(string(text), "\n") != test.want {
			t.Errorf("%v: want %d lines (%v), have %d\n%s", test.args, test.want, err, strings.Count(string(text), "\n"), out)
		}
	}
}

func TestReplaySaysWhatItDoes(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	g.commitOrders(t, 60, 1, 1)
	g.commitOrders(t, 20, 2, 2)
	g.commitOrders(t, 20, 1, 3)
	s, err := g.conn.JetStream().Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	for sequence := uint64(1); sequence <= 10; sequence++ { // as if they had expired
		if err := s.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
	dry := []string{"replay", "--from-seq", "1", "--last-per-order", "--rate", "2", "--sink", "noop", "--dry-run"}
	code, out, errs := g.juliu(t.Context(), dry...)
	want := `the stream reaches back to TIME +08:00, sequence 11
records before sequence 11, if there were any, are left out: older records have expired (STREAM_MAX_AGE) or were deleted; read them again from the ERP with: juliu backfill --from … --to …
plan: 60 records, sequences 22 to 102, passing over 19 others between them, at 2 a second about 30 s, into the sink noop
`
	if got := regexp.MustCompile(`20\d\d-\S+ \d\d:\d\d:\d\d`).ReplaceAllString(out, "TIME"); code != 0 || got != want || errs != "" {
		t.Errorf("exit code %d\n%s%s\nwant\n%s", code, got, errs, want)
	}
	code, out, errs = g.juliu(t.Context(), "replay", "--since", "1h", "--status", "Confirmed", "--yes")
	if code != 0 || !strings.Contains(out, "no loader seems to run at the moment; the replay waits for one\njob ") || !strings.Contains(out, "watch it with: juliu jobs watch ") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	id := regexp.MustCompile(`job (\S+) runs`).FindStringSubmatch(out)[1]
	_, list, _ := g.juliu(t.Context(), "jobs", "list")
	if !regexp.MustCompile(`(?m)^` + id + `  replay  -       stored since TIME status Confirmed  running  0% 0/90 records  -     -$`).MatchString(
		regexp.MustCompile(`20\d\d-\S+ \d\d:\d\d:\d\d`).ReplaceAllString(list, "TIME")) {
		t.Errorf("the list is\n%s", list)
	}
	g.steer(t, 0, "pause", id, "is paused")
	g.steer(t, 0, "resume", id, "runs")
	g.steer(t, 0, "cancel", id, "is cancelled")
	if _, err := g.conn.JetStream().Consumer(t.Context(), stream.Stream, stream.ReplayConsumer(id)); err == nil {
		t.Error("the cancelled replay left its durable behind")
	}
	if job, err := g.jobs.Find(t.Context(), id); err != nil || job.State != control.Cancelled {
		t.Errorf("%+v, %v", job, err)
	}
}

func TestReplayRefusesInOneLine(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	for _, test := range []struct {
		code int
		says string
		args []string
	}{
		{1, "nothing to replay: no record on the stream is what was asked for", []string{"--from-seq", "1", "--yes"}},
		{2, "say what to load again: --since 24h", nil},
		{2, "say once where to begin", []string{"--since", "1h", "--from-seq", "1"}},
		{2, "--since takes how long ago", []string{"--since", "yesterday"}},
		{2, "--from takes a time with its zone", []string{"--from", "yesterday"}},
		{2, "--from must lie before --to", []string{"--from", "1h", "--to", "2h"}},
		{2, "--shop takes a shop_id", []string{"--from-seq", "1", "--shop", "abc"}},
		{2, `the sink "kafka" is none of jsonl, noop, postgres, webhook`, []string{"--from-seq", "1", "--sink", "kafka"}},
		{2, "the sink noop takes no file", []string{"--from-seq", "1", "--sink", "noop:x"}},
		{2, "a name without a folder", []string{"--from-seq", "1", "--sink", "jsonl:/etc/passwd"}},
		{2, "a name without a folder", []string{"--from-seq", "1", "--sink", "jsonl:.."}},
		{2, "a name without a folder", []string{"--from-seq", "1", "--sink", "jsonl:../x.jsonl"}},
		{2, "that ends in .jsonl", []string{"--from-seq", "1", "--sink", "jsonl:nats.creds"}},
		{2, "that ends in .jsonl", []string{"--from-seq", "1", "--sink", "jsonl:"}},
		{2, "the rate is a number", []string{"--from-seq", "1", "--rate", "-1"}},
		{2, "--output takes table or json", []string{"--from-seq", "1", "-o", "xml"}},
	} {
		code, out, errs := g.juliu(t.Context(), append([]string{"replay"}, test.args...)...)
		if code != test.code || !strings.Contains(errs, test.says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: exit code %d, want %d and one line with %q\n%s%s", test.args, code, test.code, test.says, out, errs)
		}
	}
	g.commitOrders(t, 1, 1, 1)
	if code, _, errs := g.juliu(t.Context(), "replay", "--from-seq", "1"); code != 2 || !strings.Contains(errs, "add --yes") {
		t.Errorf("without a terminal: exit code %d\n%s", code, errs)
	}
	if jobs, err := g.jobs.List(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("what was refused left %+v, %v", jobs, err)
	}
	if _, out, _ := g.juliu(t.Context(), "replay", "--since", time.Hour.String(), "--dry-run", "--status", "Delete"); !strings.Contains(out, "plan: 0 records") {
		t.Error(out)
	}
}

// Records that expire after they were planned are not loaded, and whoever asked for them is told.
func TestReplaySaysWhatWasNotThereAnyMore(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	g.commitOrders(t, 60, 1, 1)
	_, out, errs := g.juliu(t.Context(), "replay", "--from-seq", "1", "--sink", "jsonl:again.jsonl", "--yes")
	started := regexp.MustCompile(`job (\S+) runs`).FindStringSubmatch(out)
	if started == nil {
		t.Fatal(out, errs)
	}
	s, err := g.conn.JetStream().Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	for sequence := uint64(1); sequence <= 10; sequence++ {
		if err := s.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
	g.startLoader(t)
	code, out, errs := g.juliu(t.Context(), "jobs", "watch", started[1])
	if code != 0 || !strings.Contains(out, "is done: 50 records loaded in ") || !strings.Contains(out, ", 10 of the plan were not counted: they expired meanwhile") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}
