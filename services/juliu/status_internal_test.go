package juliu

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
)

// report is what an audit of the day before found.
func reportOf(now time.Time, edit func(*audit.Report)) json.RawMessage {
	begin := now.Add(-40 * time.Hour)
	r := audit.Report{Source: "main", From: begin, To: begin.Add(24 * time.Hour), Windows: []audit.Window{{Begin: begin, End: begin.Add(24 * time.Hour)}}}
	edit(&r)
	data, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return data
}

// gap is an order that an audit found missing.
func gap(r *audit.Report) {
	d := audit.Difference{In: audit.Stream, Kind: audit.Missing}
	r.Add(d)
	r.Windows[0].Tally(d)
}

func complete(*audit.Report) {}

// twoLooks are half a second apart: 20 records came and 60 were loaded, so that 200 of a backlog of 240 are left.
func twoLooks() (stream.Snapshot, look) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	at := func(back time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-back)) }
	before := stream.Snapshot{At: now.Add(-between), Records: 1180, ConsumerState: stream.ConsumerState{Pending: 200, AckPending: 40}}
	after := look{at: now, server: "nats://nats.example:4222", oldest: now.Add(-3 * time.Minute)}
	after.stream = stream.Snapshot{
		At: now, Records: 1200, Bytes: 9 << 20, MaxBytes: 10 << 20, MaxAge: 72 * time.Hour, FirstSequence: 11, LastSequence: 1300,
		FirstTime: now.Add(-50 * time.Hour), AckFloor: 990, DeadLetters: 2,
		ConsumerState: stream.ConsumerState{
			AckWait: 30 * time.Second, Pending: 180, AckPending: 20, Redelivered: 3, Acked: now.Add(-time.Second), Delivered: now.Add(-time.Second),
		},
	}
	after.sources = []stream.SourceState{
		{Source: "idle", Resource: "sales-out", Checkpoint: &juliuv1.Checkpoint{
			Cursor: at(26 * time.Hour), CommittedAt: at(26 * time.Hour), Filter: "status=Confirmed", Version: 77,
		}},
		{
			Source: "main", Resource: "sales-out", Sequence: 1299, Stored: now.Add(-41 * time.Second), Modified: now.Add(-80 * time.Second),
			Checkpoint: &juliuv1.Checkpoint{
				Cursor: at(33 * time.Second), CommittedAt: at(2 * time.Second), ReadAt: at(3 * time.Second), SweptAt: at(20 * time.Minute),
				Start: at(72 * time.Hour), Filter: "status=all", Total: 1210,
			},
		},
	}
	after.holders = map[string]control.Holder{
		"main":  {Name: "erp-1/4711", Since: now.Add(-3 * time.Hour), Quota: &control.Quota{Used: 37, Allowed: 80, Configured: 100, Refused: 4}},
		"shop2": {Name: "erp-2/12", Since: now.Add(-time.Hour)},
	}
	after.jobs = []control.Job{
		{ID: "20261124-070000-abc", Kind: "backfill", Source: "main", State: control.Running, Created: now, Updated: now, Progress: control.Progress{Rows: 12}},
		{ID: "20261124-050000-abc", Kind: "audit", Source: "main", State: control.Cancelled, Created: now, Updated: now},
		{
			ID: "20261124-040000-abc", Kind: "audit", Source: "main", State: control.Done, Ended: now.Add(-4 * time.Hour),
			Progress: control.Progress{Stored: 1}, Report: reportOf(now, func(r *audit.Report) {
				r.Add(audit.Difference{Kind: audit.Missing, Key: "7", Repaired: true})
			}),
		},
		{
			ID: "20261123-040000-abc", Kind: "audit", Source: "main", State: control.Done, Ended: now.Add(-28 * time.Hour),
			Report: reportOf(now.Add(-240*time.Hour), gap),
		},
	}
	return before, after
}

func TestTheStatusIsOneScreen(t *testing.T) {
	t.Parallel()
	text := statusOf(twoLooks()).table(false)
	isGolden(t, "status.golden.txt", text)
	painted := statusOf(twoLooks()).table(true)
	if painted == text || regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(painted, "") != text {
		t.Errorf("the colours change the words, or there are none:\n%s", painted)
	}
	if lines := strings.Count(text, "\n"); lines > 40 {
		t.Errorf("%d lines are more than a screen", lines)
	}
}

func TestTheStatusAsJSONIsStable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (desk{app: App{Out: &out}, json: true}).show(statusOf(twoLooks()), false); err != nil {
		t.Fatal(err)
	}
	isGolden(t, "status.golden.json", out.String())
}

func TestABacklogThatDoesNotShrinkHasNoEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backlog        uint64
		stored, loaded float64
		want           float64 // -1 for none
	}{
		"nothing waits":          {0, 10, 0, 0},
		"nobody loads":           {5, 0, 0, -1},
		"as fast as orders come": {5, 7, 7, -1},
		"it shrinks":             {100, 10, 30, 5},
	} {
		left := eta(c.backlog, ratesLine{Stored: c.stored, Loaded: c.loaded})
		if (left == nil) != (c.want < 0) || left != nil && *left != c.want {
			t.Errorf("%s: %v, want %v", name, left, c.want)
		}
	}
	before, now := twoLooks()
	now.stream.At = before.At
	if r := ratesOf(before, now.stream); r != (ratesLine{}) {
		t.Errorf("two looks of one moment have rates: %+v", r)
	}
}
