package juliu

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/pkg/stream"
)

// wellLook is a system that lacks nothing, so that its status has neither red nor yellow.
func wellLook() (stream.Snapshot, look) {
	before, now := twoLooks()
	now.sources = now.sources[1:]
	now.holders = map[string]control.Holder{
		"main": {Name: "erp-1/4711", Since: now.at.Add(-3 * time.Hour), Quota: &control.Quota{Used: 37, Allowed: 100, Configured: 100}},
	}
	now.jobs = now.jobs[2:3]
	now.stream.Bytes, now.stream.Redelivered, now.stream.DeadLetters = 1<<20, 0, 0
	return before, now
}

func TestTheStatusCallsNothingFineThatIsNot(t *testing.T) {
	t.Parallel()
	before, now := wellLook()
	if text := statusOf(before, now).table(true); strings.Contains(text, "\x1b[31m") || strings.Contains(text, "\x1b[33m") {
		t.Fatalf("all is well, and coloured:\n%s", text)
	}
	for name, c := range map[string]struct {
		spoil func(l *look)
		want  string
	}{
		"the loader died with all it held": {func(l *look) {
			l.stream.Acked, l.stream.Delivered = l.at.Add(-10*time.Minute), l.at.Add(-10*time.Minute)
		}, "\x1b[31mnone was acknowledged for 10 min"},
		"it died with the first it was given": {func(l *look) {
			l.stream.Acked, l.stream.Delivered = time.Time{}, l.at.Add(-10*time.Minute)
		}, "\x1b[31mnone was acknowledged ever"},
		"the consumer is paused":   {func(l *look) { l.stream.Paused = true }, "\x1b[31mthe consumer is paused"},
		"nobody loads":             {func(l *look) { l.stream.AckPending = 0 }, "\x1b[31mno loader asks"},
		"records are soon deleted": {func(l *look) { l.oldest = l.at.Add(-70 * time.Hour) }, "\x1b[31m and soon deleted for its age"},
		"nothing is committed": {func(l *look) {
			l.sources[0].Checkpoint.CommittedAt = timestamppb.New(l.at.Add(-3 * time.Hour))
		}, "\x1b[31mcommitted 3 h 0 min ago"},
		"commits are late": {func(l *look) {
			l.sources[0].Checkpoint.CommittedAt = timestamppb.New(l.at.Add(-10 * time.Minute))
		}, "\x1b[33mcommitted 10 min ago"},
		"sweeps go on, the cursor does not": {func(l *look) {
			c := l.sources[0].Checkpoint
			c.Cursor, c.ReadAt = timestamppb.New(l.at.Add(-3*time.Hour)), timestamppb.New(l.at.Add(-3*time.Hour+time.Minute))
		}, "\x1b[31m, the cursor stands since 2 h 59 min ago"},
		"nobody reads": {func(l *look) { l.holders = nil }, "\x1b[31mnobody reads this source"},
		"a holder that never commits": {func(l *look) {
			l.holders["shop2"] = control.Holder{Name: "erp-2/1", Since: l.at.Add(-time.Hour)}
		}, "\x1b[31m; nothing was committed yet, see its log"},
		"the erp refuses calls": {func(l *look) { l.holders["main"].Quota.Allowed = 60 }, "\x1b[33m37 calls in the last minute of 60 allowed"},
		"an audit with a gap":   {func(l *look) { l.jobs[0].Report = reportOf(l.at, gap) }, "\x1b[31m1 gap, see: juliu audit --job 20261124-040000-abc"},
		"an audit of nothing": {func(l *look) {
			l.jobs[0].Report = reportOf(l.at, func(r *audit.Report) { r.To = r.From })
		}, "\x1b[33mnothing was compared"},
		"an audit of one shop": {func(l *look) {
			l.jobs[0].Report = reportOf(l.at, func(r *audit.Report) { r.Shop = "7" })
		}, "\x1b[33m, shop 7 alone"},
		"a report of tomorrow": {func(l *look) { l.jobs[0].Report = json.RawMessage(`{"from":7}`) }, "\x1b[33mits report cannot be read"},
		"an old audit":         {func(l *look) { l.jobs[0].Ended = l.at.Add(-72 * time.Hour) }, "\x1b[33maudited 3 d 0 h ago"},
		"a later audit that failed": {func(l *look) {
			l.jobs = slices.Insert(l.jobs, 0, control.Job{ID: "20261124-060000-abc", Kind: "audit", Source: "main", State: control.Failed, Problem: "code\n190"})
		}, "\x1b[31m; a later one failed: code 190"},
		"only failed audits": {func(l *look) { l.jobs[0].State, l.jobs[0].Problem = control.Failed, "code 190" }, "\x1b[31mnever audited, the last attempt failed: code 190"},
		"gaps of three earlier audits": {func(l *look) {
			for i := range 3 {
				l.jobs = append(l.jobs, control.Job{
					ID: "20261101-040000-abc", Kind: "audit", Source: "main", State: control.Done, Report: reportOf(l.at.Add(-time.Duration(i+2)*240*time.Hour), gap),
				})
			}
		}, "see: juliu audit --job 20261101-040000-abc and 2 more audits"},
		"a fourth source that nobody reads": {func(l *look) {
			for range 3 {
				l.sources = append(l.sources, stream.SourceState{Source: "old", Checkpoint: l.sources[0].Checkpoint})
			}
		}, "\x1b[33m… and 1 more that were read longer ago, 0 of them with a holder"},
		"dead letters": {func(l *look) { l.stream.DeadLetters = 3 }, "\x1b[33m3"},
		"redelivered":  {func(l *look) { l.stream.Redelivered = 3 }, "\x1b[33m3 redelivered"},
		"nearly full":  {func(l *look) { l.stream.Bytes = 9 << 20 }, "\x1b[31m9.0 MiB of 10.0 MiB"},
	} {
		before, now := wellLook()
		c.spoil(&now)
		if text := statusOf(before, now).table(true); !strings.Contains(text, c.want) {
			t.Errorf("%s: no %q in:\n%s", name, c.want, text)
		}
	}
}

// A later audit tells only of the gaps that lie within what it compared, and of its own it tells itself.
func TestGapsAreLeftUntilAnAuditLooksThereAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	job := func(report json.RawMessage) control.Job {
		return control.Job{ID: "x", Kind: "audit", Source: "main", State: control.Done, Report: report}
	}
	shift := func(d time.Duration) func(*audit.Report) {
		return func(r *audit.Report) { r.From, r.To = r.From.Add(d), r.To.Add(d) }
	}
	for name, c := range map[string]struct {
		later json.RawMessage
		left  int
	}{
		"the same period":     {reportOf(now, complete), 0},
		"a longer one":        {reportOf(now, func(r *audit.Report) { r.From, r.To = r.From.Add(-time.Hour), r.To.Add(time.Hour) }), 0},
		"it ends before":      {reportOf(now, shift(-time.Hour)), 1},
		"it begins after":     {reportOf(now, shift(time.Hour)), 1},
		"a gap of its own":    {reportOf(now, gap), 0},
		"one shop alone":      {reportOf(now, func(r *audit.Report) { r.Shop = "7" }), 1},
		"it cannot be read":   {json.RawMessage(`[]`), 1},
		"nothing was settled": {reportOf(now, func(r *audit.Report) { r.To = r.From }), 1},
	} {
		last := lastAudit([]control.Job{job(c.later), job(reportOf(now, gap))}, "main")
		if last == nil || len(last.Left) != c.left {
			t.Errorf("%s: %+v, want %d left", name, last, c.left)
		}
	}
	exact := reportOf(now, func(r *audit.Report) { gap(r); r.Exact, r.Shop = true, "7" })
	counted := lastAudit([]control.Job{job(reportOf(now, complete)), job(exact)}, "main")
	if len(counted.Left) != 1 || counted.Left[0].repair() != "--repair --exact --shop 7" {
		t.Errorf("a count does not tell what a reading of all rows found: %+v", counted)
	}
	if last := lastAudit([]control.Job{job(reportOf(now, gap))}, "other"); last != nil {
		t.Errorf("another source's audit: %+v", last)
	}
}
