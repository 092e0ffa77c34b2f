package juliu

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/control"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
)

// twoLooks are half a second apart: 20 records came and 60 were loaded, so that 200 of a backlog of 240 are left.
func twoLooks() (look, look) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	at := func(back time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-back)) }
	before := look{at: now.Add(-between), server: "nats://nats.example:4222", stream: stream.Snapshot{
		At: now.Add(-between), Records: 1180, Pending: 200, AckPending: 40,
	}}
	after := before
	after.at = now
	after.stream = stream.Snapshot{
		At: now, Records: 1200, Bytes: 9 << 20, MaxBytes: 10 << 20, MaxAge: 72 * time.Hour, FirstSequence: 11, LastSequence: 1300,
		FirstTime: now.Add(-50 * time.Hour), Pending: 180, AckPending: 20, Redelivered: 3, AckFloor: 990, DeadLetters: 2,
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
	after.holders = map[string]control.Holder{"main": {Name: "erp-1/4711", Since: now.Add(-3 * time.Hour)}}
	after.jobs = []control.Job{
		{ID: "20261124-070000-abc", Kind: "backfill", Source: "main", State: control.Running, Created: now, Updated: now, Progress: control.Progress{Rows: 12}},
		{ID: "20261124-050000-abc", Kind: "audit", Source: "main", State: control.Failed, Created: now, Updated: now},
		{
			ID: "20261124-040000-abc", Kind: "audit", Source: "main", State: control.Done, Ended: now.Add(-4 * time.Hour), Progress: control.Progress{Stored: 1},
			Spec: json.RawMessage(`{"from":"2026-11-22T16:00:00Z","to":"2026-11-23T16:00:00Z","exact":true}`),
		},
		{ID: "20261123-040000-abc", Kind: "audit", Source: "main", State: control.Done, Ended: now.Add(-28 * time.Hour)},
	}
	return before, after
}

func TestTheStatusIsOneScreen(t *testing.T) {
	t.Parallel()
	const want = `juliu status  2026-11-24 16:00:00 +08:00  nats://nats.example:4222

main sales-out
  newest order  41 s ago stored, changed in the ERP 2026-11-24 15:58:40
  checkpoint    read up to 2026-11-24 15:59:27, 33 s behind, committed 2 s ago; swept 20 min ago, window, status=all
  completeness  audited 4 h 0 min ago, 2026-11-23 … 2026-11-24: 1 orders were missing and are stored now
  lease         erp-1/4711, since 2026-11-24 13:00:00; lasts 6 s without a word

idle sales-out
  newest order  none yet
  checkpoint    read up to 2026-11-23 14:00:00, 26 h 0 min behind, committed 26 h 0 min ago; never swept, ts, status=Confirmed
  completeness  never audited
  lease         nobody reads this source

  stream        1200 records, 9.0 MiB of 10.0 MiB (90 %), kept 3 d 0 h, the oldest 2 d 2 h ago
  loaders       200 records wait (20 of them being loaded), loaded in about 3 s; 0 loaders idle; 3 redelivered
  rates         40.0 orders/s stored, 120.0/s loaded, over 0.5 s
  dead letters  2
  jobs          1 open; see: juliu jobs list
  20261124-070000-abc  backfill  main  -  running  12 rows  -  -
`
	text := statusOf(twoLooks()).table(false)
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
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
	const want = `{"at":"2026-11-24T08:00:00Z","server":"nats://nats.example:4222","up":false,"sources":[` +
		`{"source":"main","resource":"sales-out","newest":{"sequence":1299,"stored":"2026-11-24T07:59:19Z","modified":"2026-11-24T07:58:40Z","age_seconds":41},` +
		`"checkpoint":{"cursor":"2026-11-24T07:59:27Z","behind_seconds":33,"committed_at":"2026-11-24T07:59:58Z","read_at":"2026-11-24T07:59:57Z",` +
		`"swept_at":"2026-11-24T07:40:00Z","start":"2026-11-21T08:00:00Z","mode":"window","filter":"status=all","records":1210},` +
		`"lease":{"holder":"erp-1/4711","since":"2026-11-24T05:00:00Z","term_seconds":6},` +
		`"audit":{"job":"20261124-040000-abc","from":"2026-11-22T16:00:00Z","to":"2026-11-23T16:00:00Z","ended":"2026-11-24T04:00:00Z","stored":1}},` +
		`{"source":"idle","resource":"sales-out","newest":null,` +
		`"checkpoint":{"cursor":"2026-11-23T06:00:00Z","behind_seconds":93600,"committed_at":"2026-11-23T06:00:00Z","read_at":null,` +
		`"swept_at":null,"start":null,"mode":"ts","filter":"status=Confirmed","records":0},"lease":null,"audit":null}],` +
		`"stream":{"records":1200,"bytes":9437184,"max_bytes":10485760,"max_age_seconds":259200,"first_sequence":11,"last_sequence":1300,"first_time":"2026-11-22T06:00:00Z"},` +
		`"loaders":{"waiting":0,"backlog":200,"ack_pending":20,"redelivered":3,"ack_floor":990,"eta_seconds":2.5},` +
		`"rates":{"stored_per_second":40,"loaded_per_second":120,"seconds":0.5},"dead_letters":2,` +
		`"jobs":[{"id":"20261124-070000-abc","kind":"backfill","source":"main","state":"running","progress":{"calls":0,"rows":12,"stored":0,"remaining_seconds":0},` +
		`"created":"2026-11-24T08:00:00Z","updated":"2026-11-24T08:00:00Z"}]}` + "\n"
	var out bytes.Buffer
	if err := (desk{app: App{Out: &out}, json: true}).show(statusOf(twoLooks()), false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
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
	now.stream.At = before.stream.At
	if r := ratesOf(before.stream, now.stream); r != (ratesLine{}) {
		t.Errorf("two looks of one moment have rates: %+v", r)
	}
}
