package juliu_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/jushuitan/sandbox"
	"juliu/services/juliu"
)

// noon is when the golden scenarios look.
func noon() time.Time { return time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC) }

// desk carries out one command line at noon, as user ann, and returns what it printed, with times of the server as T.
func (g *ground) desk(t *testing.T, want int, args ...string) string {
	t.Helper()
	var o, e bytes.Buffer
	code := juliu.App{Out: &o, Err: &e, Now: noon}.Run(t.Context(), append(args, "--data", g.data))
	text := o.String() + e.String()
	if code != want {
		t.Fatalf("%v: exit code %d, want %d\n%s", args, code, want, text)
	}
	text = regexp.MustCompile(`"(stored|at)":"[^"]*"`).ReplaceAllString(text, `"$1":"T"`)
	text = regexp.MustCompile(`stored [-0-9]{10} [:0-9]{8}(\.\d+)? \+08:00`).ReplaceAllString(text, "stored T")
	return regexp.MustCompile(`(?m)^20[-0-9]{8} [:0-9]{8}(\.\d+)? `).ReplaceAllString(text, "T ")
}

// fill puts five letters on the desk: two causes of records, a row without identity, one of an order that changed since.
func fill(t *testing.T, g *ground) {
	t.Helper()
	g.commitOrders(t, 4, 1, 1)
	early, late := noon().Add(-2*time.Hour), noon().Add(-time.Hour)
	g.keep(t,
		failure{early, "rejected", "rejected by the sink: SQLSTATE 22001 (column status)"},
		failure{early, "rejected", "rejected by the sink: SQLSTATE 22001 (column status)"},
		failure{late, "exhausted", "erp.example answers HTTP 500 to webhook-id evt_0123456789abcdef01230: see its log"},
		failure{late, "exhausted", "erp.example answers HTTP 500 to webhook-id evt_0123456789abcdef01231: see its log"})
	g.commitOrders(t, 1, 1, 2)
	row := []byte(`{"o_id":77,"receiver_name":"` + person + `","receiver_city":"杭州市"}`)
	if err := g.conn.KeepRow(t.Context(), "main", "sales-out", row, "decode sales-out row: no usable identity", "no-identity"); err != nil {
		t.Fatal(err)
	}
}

func TestTheDeskByItsWords(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	fill(t, g)
	for _, step := range []struct {
		args string
		code int
		want string
	}{
		{"dlq groups --class rejected", 0, `GROUP     LETTERS  CLASS     FIRST +08:00         LAST +08:00          REASON
b0981254  2        rejected  2026-11-24 10:00:00  2026-11-24 10:00:00  rejected by the sink: SQLSTATE 22001 (column status)
`},
		{"dlq groups --class exhausted --output json", 0, `{"group":"76d4dee3","count":2,"rows":0,"class":"exhausted","reason":"erp.example answers HTTP 500 to webhook-id …: see its log","first":"2026-11-24T03:00:00Z","last":"2026-11-24T03:00:00Z"}
`},
		{"dlq list --since 90m --class exhausted", 0, `ID  CLASS      ATTEMPT  RESOURCE   SOURCE  SHOP  ORDER  GIVEN UP +08:00      REASON
4   exhausted  1        sales-out  main    11    5003   2026-11-24 11:00:00  erp.example answers HTTP 500 to webhook-id evt_0123456789abcdef01231: see its log
3   exhausted  1        sales-out  main    10    5002   2026-11-24 11:00:00  erp.example answers HTTP 500 to webhook-id evt_0123456789abcdef01230: see its log
`},
		{"dlq list --order 5001 --output json", 0, `{"id":2,"kind":"record","group":"b0981254","class":"rejected","reason":"rejected by the sink: SQLSTATE 22001 (column status)","resource":"sales-out","source":"main","shop":"11","order":"5001","version":"1","attempt":1,"deliveries":1,"consumer":"loader","subject":"jst.record.sales-out.main.11.3","sequence":2,"stored":"T","kept":"2026-11-24T02:00:00Z"}
`},
		{"dlq list --shop 11 --reason webhook-id --limit 1 --source main --resource sales-out", 0, `ID  CLASS      ATTEMPT  RESOURCE   SOURCE  SHOP  ORDER  GIVEN UP +08:00      REASON
4   exhausted  1        sales-out  main    11    5003   2026-11-24 11:00:00  erp.example answers HTTP 500 to webhook-id evt_0123456789abcdef01231: see its log
`},
		{"dlq show 1", 0, `letter     1, a record, attempt 1
cause      rejected: rejected by the sink: SQLSTATE 22001 (column status)
group      b0981254
given up   2026-11-24 10:00:00 +08:00, by consumer loader, delivery 1
of         sales-out, source main, shop 10, order 5000
version    1
stood at   jst.record.sales-out.main.10.0, sequence 1, stored T
requeue    removes it as superseded: a newer version of the order is stored

{
  "shop_id": "10",
  "io_id": "5000",
  "modified": "2026-11-24T00:00:00Z",
  "status": "Confirmed",
  "shop_buyer_id": "***",
  "receiver_address": "***",
  "receiver_name": "***",
  "receiver_phone": "***",
  "buyer_message": "***",
  "pay_amount": "12.50",
  "ts": "1"
}

personal data is masked; --reveal shows it, and the row as received, and leaves an audit record
`},
		{"dlq requeue 2 5 --dry-run --output json", 0, `{"id":2,"resource":"sales-out","source":"main","order":"5001","outcome":"requeued","dry_run":true}
{"id":5,"resource":"sales-out","source":"main","outcome":"unloadable","dry_run":true}
plan: 1 given to the loaders again, 1 without identity and left; 'juliu dlq show ID' says what to do
a dry run: nothing was done
`},
		{"dlq requeue --class rejected --yes --by ann@desk", 0, `plan: 1 given to the loaders again, 1 superseded by newer versions and removed
done: 1 given to the loaders again, 1 superseded by newer versions and removed
`},
		{"dlq requeue 5 --yes", 1, `plan: 1 without identity and left; 'juliu dlq show ID' says what to do
juliu: nothing was requeued: what has no identity cannot be; 'juliu dlq show ID' says what to do
`},
		{"dlq drop --group 76d4dee3 --dry-run", 0, `a dry run: 2 dead letters would be dropped; nothing was done
`},
		{"dlq drop --class exhausted --yes --by ann@desk", 0, `2 of exhausted: erp.example answers HTTP 500 to webhook-id …: see its log
done: 2 dropped
`},
		{"dlq drop 5 --yes --by ann@desk --output json", 0, `{"id":5,"resource":"sales-out","source":"main","outcome":"dropped","dry_run":false}
1 of no-identity: decode sales-out row: no usable identity
done: 1 dropped
`},
		{"dlq history", 0, `AT +08:00            WHO       WHAT       LETTERS  FIRST ID  ITS ORDER
T  ann@desk  requeue    1        2         5001
T  ann@desk  supersede  1        1         5000
T  ann@desk  drop       2        3         5002
T  ann@desk  drop       1        5         -
`},
		{"dlq list", 0, "no dead letters\n"},
		{"dlq groups", 0, "no dead letters\n"},
		{"dlq requeue --all --yes", 0, "no dead letters\n"},
		{"dlq drop --class x --yes", 0, "no dead letters match; see them all with: juliu dlq list\n"},
		{"dlq show 1", 1, "juliu: dead letter 1: no such dead letter, or no more; it may have been requeued or dropped, see: juliu dlq list, juliu dlq history\n"},
	} {
		if diff := cmp.Diff(step.want, g.desk(t, step.code, strings.Fields(step.args)...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.args, diff)
		}
	}
}

// Nobody sees a person's data but with --reveal, which the history knows.
func TestOnlyRevealShowsPersonalData(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	fill(t, g)
	for _, args := range []string{
		"dlq list", "dlq groups", "dlq show 1", "dlq show 5", "dlq show 1 --output json", "dlq show 5 --output json", "dlq requeue --all --dry-run",
		"dlq requeue 2 --yes --output json", "dlq drop 3 --yes", "dlq history --output json",
	} {
		if out := g.desk(t, 0, strings.Fields(args)...); strings.Contains(out, person) {
			t.Errorf("%s shows a person:\n%s", args, out)
		}
	}
	for id, want := range map[string][]string{
		"1": {`"receiver_name": "` + person, "as received:\n", `"extra":"` + person},
		"5": {"no loader can take it", "juliu backfill", `"receiver_city": "杭州市"`, `"receiver_name": "` + person},
	} {
		out := g.desk(t, 0, "dlq", "show", id, "--reveal", "--by", "bob@desk")
		for _, want := range want {
			if !strings.Contains(out, want) {
				t.Errorf("letter %s does not show %q:\n%s", id, want, out)
			}
		}
	}
	if out := g.desk(t, 0, "dlq", "history", "--output", "json"); strings.Count(out, `"who":"bob@desk","what":"reveal"`) != 2 {
		t.Errorf("the history does not know who looked:\n%s", out)
	}
	if out := g.desk(t, 0, "dlq", "show", "4", "--reveal"); strings.Contains(out, "masked") {
		t.Errorf("revealed, and said to be masked:\n%s", out)
	}
	if out := g.desk(t, 0, "dlq", "history", "--output", "json"); !regexp.MustCompile(`"who":"[^"@]+@[^"@]+","what":"reveal","letters":\[\{"id":4,`).MatchString(out) {
		t.Errorf("the history does not name this user and machine:\n%s", out)
	}
}

// What a sink, an order or an operator's name says cannot steer the terminal of who reads it.
func TestNothingSteersTheTerminal(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	g.commitOrders(t, 1, 1, 1)
	g.keep(t, failure{noon(), "rejected", "refused\x1b[2J \u009b31m\aby the sink"})
	row := []byte("{\"o_id\":77,\"buyer_message\":\"\x1b]0;title\a\"}")
	if err := g.conn.KeepRow(t.Context(), "main", "sales-out", row, "no usable identity", "no-identity"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"dlq", "list"},
		{"dlq", "groups"},
		{"dlq", "show", "1"},
		{"dlq", "show", "2", "--reveal", "--by", "ann\x1b[1A"},
		{"dlq", "history"},
		{"dlq", "drop", "1", "--yes"},
		{"dlq", "list", "--output", "json"},
	} {
		if out := g.desk(t, 0, args...); strings.ContainsAny(out, "\x1b\a\u009b") {
			t.Errorf("%v: %q", args, out)
		}
	}
}

// A row that an older program could not read, and this one can, says so.
func TestARowThatCanBeReadNowSaysHow(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	row := []byte(`{"io_id":77,"ts":9,"modified":"2026-11-23 10:00:00"}`)
	if err := g.conn.KeepRow(t.Context(), "main", "sales-out", row, "decode sales-out row: no usable identity", "no-identity"); err != nil {
		t.Fatal(err)
	}
	if out := g.desk(t, 0, "dlq", "show", "1"); !strings.Contains(out, "it is order 77, modified 2026-11-23 10:00:00; upgrade the extractor") {
		t.Error(out)
	}
}

func TestTheDeskTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	fill(t, g)
	for args, want := range map[string]string{
		"dlq list --output xml":          "juliu: --output takes table or json\n",
		"dlq list --limit -1":            "juliu: --limit takes no negative value\n",
		"dlq show x":                     "juliu: \"x\" is no ID of a dead letter, which is a number; see: juliu dlq list\n",
		"dlq requeue":                    "juliu: which letters? Name them by ID, choose them by flags such as --group, or take --all; see: juliu dlq groups\n",
		"dlq drop 1 --all --yes":         "juliu: name letters by ID, or choose them by flags such as --group, or take --all; not several of these\n",
		"dlq drop --all --class x --yes": "juliu: name letters by ID, or choose them by flags such as --group, or take --all; not several of these\n",
		"dlq requeue 2":                  "plan: 1 given to the loaders again\njuliu: not started: there is no terminal to ask on; add --yes to start without asking\n",
		"dlq drop 5":                     "1 of no-identity: decode sales-out row: no usable identity\njuliu: not started: there is no terminal to ask on; add --yes to start without asking\n",
		"dlq requeue 2 --force":          "juliu: unknown flag: --force; see: juliu dlq requeue --help\n",
	} {
		if diff := cmp.Diff(want, g.desk(t, 2, strings.Fields(args)...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
	}
	if snap := g.snapshot(t); snap.DeadLetters != 5 {
		t.Errorf("%d dead letters are left of 5", snap.DeadLetters)
	}
}
