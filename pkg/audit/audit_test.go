package audit_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"juliu/pkg/audit"
	"juliu/pkg/record"
)

func noon() time.Time { return time.Date(2026, time.January, 31, 4, 0, 0, 0, time.UTC) }

// entry is a version of a key.
func entry(key string, ts int64, mark uint64) audit.Entry {
	return audit.Entry{Key: key, Version: record.Version{TS: ts, Modified: noon().Add(time.Duration(ts) * time.Second)}, Mark: mark, Sequence: uint64(ts)}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	want := entry("1", 5, 7)
	broken := want
	broken.Broken = true
	for name, test := range map[string]struct {
		stored *audit.Entry
		kind   audit.Kind
	}{
		"nothing is stored":                 {nil, audit.Missing},
		"the same is stored":                {new(entry("1", 5, 7)), ""},
		"an older one is stored":            {new(entry("1", 4, 7)), audit.Stale},
		"a newer one is stored":             {new(entry("1", 6, 8)), ""},
		"other content is stored":           {new(entry("1", 5, 8)), audit.Altered},
		"what is stored contradicts itself": {&broken, audit.Altered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if kind := audit.Judge(want, test.stored); kind != test.kind {
				t.Errorf("it is %q, want %q", kind, test.kind)
			}
		})
	}
}

// Compare names each key that differs once, and repairing what it names leaves nothing but extras.
func TestRepairingWhatIsNamedLeavesNoGap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		side := func(name string) map[string]audit.Entry {
			all := map[string]audit.Entry{}
			for range rapid.IntRange(0, 30).Draw(t, name) {
				key := strconv.Itoa(rapid.IntRange(1, 20).Draw(t, "key"))
				all[key] = entry(key, rapid.Int64Range(1, 4).Draw(t, "ts"), rapid.Uint64Range(1, 2).Draw(t, "mark"))
			}
			return all
		}
		want, stored := side("want"), side("stored")
		found := audit.Compare("sink", want, stored)
		named := map[string]bool{}
		for _, d := range found {
			if named[d.Key] {
				t.Fatalf("%s is named twice", d.Key)
			}
			named[d.Key] = true
			if _, wanted := want[d.Key]; wanted == (d.Kind == audit.Extra) || d.Gap() == (d.Kind == audit.Extra) {
				t.Fatalf("%+v, wanted %v", d, wanted)
			}
			if d.Gap() {
				stored[d.Key] = want[d.Key]
			}
		}
		for key, w := range want {
			have, ok := stored[key]
			if !ok || have.Version.Compare(w.Version) < 0 || have.Version == w.Version && have.Mark != w.Mark {
				t.Fatalf("%s differs after the repair: want %+v, stored %+v", key, w, have)
			}
		}
		for _, d := range audit.Compare("sink", want, stored) {
			if d.Gap() {
				t.Fatalf("after the repair: %+v", d)
			}
		}
	})
}

func TestSides(t *testing.T) {
	t.Parallel()
	period := audit.Period{From: noon(), To: noon().Add(10 * time.Second)}
	row := func(e audit.Entry) audit.Row { return audit.Row{Entry: e} }
	for name, test := range map[string]struct {
		stream, rows []audit.Entry
		loaded       uint64
		explained    string
		want         []string
		pending      int
	}{
		"the same":                              {stream: []audit.Entry{entry("1", 1, 1)}, rows: []audit.Entry{entry("1", 1, 1)}, loaded: 9},
		"missing":                               {stream: []audit.Entry{entry("1", 1, 1)}, loaded: 9, want: []string{"missing 1"}},
		"not loaded yet":                        {stream: []audit.Entry{entry("1", 4, 1)}, loaded: 3, pending: 1},
		"stale, the stream's lies beyond":       {stream: []audit.Entry{entry("1", 20, 1)}, rows: []audit.Entry{entry("1", 2, 1)}, loaded: 99, want: []string{"stale 1"}},
		"stale, the row lies before":            {stream: []audit.Entry{entry("1", 3, 1)}, rows: []audit.Entry{entry("1", -5, 1)}, loaded: 99, want: []string{"stale 1"}},
		"beyond the period":                     {stream: []audit.Entry{entry("1", 20, 1)}, loaded: 99},
		"not on the stream":                     {rows: []audit.Entry{entry("1", 2, 1)}, want: []string{"extra 1"}},
		"not on the stream, as is known before": {rows: []audit.Entry{entry("1", 2, 1)}, explained: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := audit.Sides{
				Period: period, Name: "sink", Stream: map[string]audit.Entry{}, Rows: map[string]audit.Row{}, Loaded: test.loaded,
				Explained: map[string]bool{test.explained: true},
			}
			for _, e := range test.stream {
				s.Stream[e.Key] = e
			}
			for _, e := range test.rows {
				s.Rows[e.Key] = row(e)
			}
			var got []string
			found, holding := s.Compare()
			for _, d := range found {
				got = append(got, string(d.Kind)+" "+d.Key)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || holding.Pending != test.pending {
				t.Errorf("%d pending, want %d (- want, + got):\n%s", holding.Pending, test.pending, diff)
			}
		})
	}
}

// sample is a report with one of everything.
func sample() *audit.Report {
	r := &audit.Report{
		Job: "20260131-120000-abc", Source: "main", Resource: "sales-out", Status: "all", From: noon(), To: noon().Add(24 * time.Hour),
		AskedTo: noon().Add(25 * time.Hour), Program: "v1.2.3", Began: noon(), Ended: noon().Add(time.Minute), Calls: 12,
		Sink: &audit.Holding{Name: "postgres", Stream: 99, Rows: 98, Pending: 1},
	}
	w := audit.Window{Begin: r.From, End: r.To, ERP: 100, Stream: 99, Compared: 50, Counted: true, Moved: 2}
	d := audit.Differ(audit.Stream, audit.Missing, audit.Entry{Key: "100001", Shop: "10394533", Version: record.Version{TS: 1, Modified: noon()}})
	d.Repaired = true
	w.Tally(d)
	r.Add(d)
	r.Add(audit.Differ("postgres", audit.Altered, audit.Entry{Key: "100002", Version: record.Version{TS: 1, Modified: noon()}}))
	r.Add(audit.Differ("postgres", audit.Extra, audit.Entry{Key: "100003", Version: record.Version{TS: 1, Modified: noon()}}))
	r.Windows = []audit.Window{w}
	return r
}

func TestTheReportSaysAllThatCounts(t *testing.T) {
	t.Parallel()
	r := sample()
	if r.Gaps() != 1 || r.Found() != 3 || r.Repaired() != 1 {
		t.Errorf("%d gaps, %d found, %d repaired", r.Gaps(), r.Found(), r.Repaired())
	}
	var text, markdown bytes.Buffer
	r.Text(&text)
	r.Markdown(&markdown)
	for _, want := range []string{
		"2026-01-31 12:00:00 to 2026-02-01 12:00:00", "2026-02-01 12:00:00 to 2026-02-01 13:00:00", "main, sales-out", "juliu v1.2.3", r.Job,
		"98, stream 99, 1 yet to be written", "100001", "10394533", "stored anew", "100002", "left as it is", "100003", "2 modified again meanwhile",
		"3, 1 of them repaired, 1 gaps left", "--exact reads every row", "1 gaps left of 3 differences",
	} {
		for name, out := range map[string]string{"text": text.String(), "markdown": markdown.String()} {
			if !strings.Contains(out, want) {
				t.Errorf("the %s does not say %q:\n%s", name, want, out)
			}
		}
	}
	one, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again audit.Report
	if err := json.Unmarshal(one, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*r, again); diff != "" {
		t.Errorf("through JSON it changes:\n%s", diff)
	}
}

// However many differences there are, a report fits into one message of NATS, and its gaps are all counted.
func TestALargeReportFitsIntoAMessage(t *testing.T) {
	t.Parallel()
	r := sample()
	for i := range 50_000 {
		r.Add(audit.Differ(audit.Stream, audit.Missing, audit.Entry{Key: strconv.Itoa(10_000_000_000 + i), Shop: "10394533", Version: record.Version{TS: 1, Modified: noon()}}))
	}
	for range 366 {
		r.Windows = append(r.Windows, r.Windows[0])
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 900<<10 || r.Gaps() != 50_001 || r.Found() != 50_003 {
		t.Errorf("%d bytes, %d gaps, %d found", len(data), r.Gaps(), r.Found())
	}
}

// A verdict says "complete" only of what was compared, and by what.
func TestAVerdictPromisesNoMoreThanWasCompared(t *testing.T) {
	t.Parallel()
	const later = "; not compared: what was modified from 2026-02-01 12:00:00 on"
	for name, test := range map[string]struct {
		edit func(r *audit.Report)
		want string
	}{
		"nothing had settled":       {func(r *audit.Report) { r.Windows = nil }, "nothing was compared: no part of the period has settled yet"},
		"every row":                 {func(r *audit.Report) { r.AskedTo, r.Windows[0].Counted = time.Time{}, false }, "complete: no difference"},
		"counts alone":              {func(r *audit.Report) { r.AskedTo = time.Time{} }, "complete by count: no difference"},
		"a part has not settled":    {func(*audit.Report) {}, "complete by count: no difference" + later},
		"broken off":                {func(r *audit.Report) { r.Ended = time.Time{} }, "not finished, compared up to 2026-02-01 12:00:00: complete by count: no difference" + later},
		"the loaders are behind":    {func(r *audit.Report) { r.Sink = &audit.Holding{Name: "postgres", Pending: 7} }, "no gap left of 0 differences, but 7 orders have yet to be written to postgres" + later},
		"the ERP counts too many":   {func(r *audit.Report) { r.Windows[0].Overcounted = 3 }, "complete by count: no difference; the ERP counts 3 orders that it does not show" + later},
		"the ERP shows none":        {func(r *audit.Report) { r.Windows[0].Unshown = 2 }, "complete by count: no difference; 2 times the ERP counted orders in a second and showed none" + later},
		"a gap, and loaders behind": {func(r *audit.Report) { r.Sink.Pending = 7; r.Add(audit.Difference{Kind: audit.Missing}) }, "1 gaps left of 1 differences" + later},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sample()
			r.Differences, r.Sink = nil, &audit.Holding{Name: "postgres"}
			test.edit(r)
			if got := r.Verdict(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
