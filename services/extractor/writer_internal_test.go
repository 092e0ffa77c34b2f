package extractor

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	juliuv1 "juliu/proto/juliu/v1"
)

// shown is a row as the ERP shows it: an order's version, modified that many seconds after noon, in a status.
func shown(t *testing.T, id, ts, seconds int, status string) row {
	t.Helper()
	modified := jushuitan.At(noon.Add(time.Duration(seconds) * time.Second))
	text := fmt.Sprintf(`{"io_id":%d,"ts":%d,"modified":%q,"status":%q}`, id, ts, modified, status)
	r := row{}
	r.Record, r.err = Resources()[0].Schema.Decode("main", []byte(text), noon)
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

// Whichever lane brings a row, the stream never goes back and never says a thing twice.
func TestWriterStoresWhatIsNew(t *testing.T) {
	t.Parallel()
	confirmed := Filter{Status: "Confirmed"}
	cases := map[string]struct {
		stored, brought []row
		filter          Filter
		want            []int64 // the versions stored of what was brought, in their order
	}{
		"a new order":                               {nil, []row{shown(t, 1, 10, 1, "Confirmed")}, Filter{}, []int64{10}},
		"the same again":                            {[]row{shown(t, 1, 10, 1, "Confirmed")}, []row{shown(t, 1, 10, 1, "Confirmed")}, Filter{}, nil},
		"a newer version":                           {[]row{shown(t, 1, 10, 1, "Confirmed")}, []row{shown(t, 1, 11, 2, "Confirmed")}, Filter{}, []int64{11}},
		"an older one, from a replica that lags":    {[]row{shown(t, 1, 10, 2, "Confirmed")}, []row{shown(t, 1, 9, 1, "Confirmed")}, Filter{}, nil},
		"the same version amended":                  {[]row{shown(t, 1, 10, 1, "Confirmed")}, []row{shown(t, 1, 10, 1, "Archive")}, Filter{}, []int64{10}},
		"two versions in one haul, newest first":    {nil, []row{shown(t, 1, 11, 2, "Confirmed"), shown(t, 1, 10, 1, "Confirmed")}, Filter{}, []int64{10, 11}},
		"one row twice in one haul":                 {nil, []row{shown(t, 1, 10, 1, "Confirmed"), shown(t, 1, 10, 1, "Confirmed")}, Filter{}, []int64{10}},
		"an order that has not come so far":         {nil, []row{shown(t, 1, 10, 1, "WaitConfirm")}, confirmed, nil},
		"one that is on the stream and went back":   {[]row{shown(t, 1, 10, 1, "Confirmed")}, []row{shown(t, 1, 11, 2, "WaitConfirm")}, confirmed, []int64{11}},
		"one that was cancelled after it shipped":   {nil, []row{shown(t, 1, 10, 1, "Cancelled")}, confirmed, []int64{10}},
		"one that was voided before it shipped":     {nil, []row{shown(t, 1, 10, 1, "Delete")}, confirmed, nil},
		"a status with a blank behind it":           {nil, []row{shown(t, 1, 10, 1, "Confirmed ")}, confirmed, []int64{10}},
		"a status that nobody has documented":       {nil, []row{shown(t, 1, 10, 1, "Teleported")}, confirmed, []int64{10}},
		"versions of two orders, by their versions": {nil, []row{shown(t, 2, 12, 1, "Confirmed"), shown(t, 1, 11, 3, "Confirmed")}, Filter{}, []int64{11, 12}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(t, sandbox.Config{}, 0, asIs)
			wr := w.poller.writer
			if _, err := wr.store(t.Context(), haul{lane: jushuitan.Live, rows: c.stored}); err != nil {
				t.Fatal(err)
			}
			before := len(w.stream.versions)
			n, err := wr.store(t.Context(), haul{lane: jushuitan.Sweep, rows: c.brought, filter: c.filter})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.stream.versions[before:]; !slices.Equal(got, c.want) || n != len(c.want) {
				t.Errorf("stored %v, counted %d, want %v", got, n, c.want)
			}
		})
	}
}

// What a sweep or a backfill will be shown again stays known, however far the live lane moves on meanwhile.
func TestWriterRemembersWhatALaneHolds(t *testing.T) {
	t.Parallel()
	w := newWalk(t, sandbox.Config{}, 0, asIs).poller.writer
	old := shown(t, 1, 10, 0, "Confirmed")
	if _, err := w.store(t.Context(), haul{lane: jushuitan.Live, rows: []row{old}}); err != nil {
		t.Fatal(err)
	}
	w.hold(jushuitan.Sweep, noon.Add(-time.Hour))
	w.hold(jushuitan.Backfill, noon.Add(time.Hour))
	w.forget(noon.Add(24*time.Hour), 0)
	if n, err := w.store(t.Context(), haul{lane: jushuitan.Sweep, rows: []row{old}}); n != 0 || err != nil {
		t.Errorf("stored %d again, %v", n, err)
	}
	w.done(jushuitan.Sweep)
	w.done(jushuitan.Backfill)
	w.forget(noon.Add(24*time.Hour), 10)
	if !w.known.Has("1") {
		t.Error("forgot a row version that the walk by ts will be shown again")
	}
	w.forget(noon.Add(24*time.Hour), 11)
	if w.known.Has("1") {
		t.Error("remembers for ever")
	}
}

// The checkpoint moves with the last commit of a haul only, and names the filter and the start from the first commit on.
func TestWriterMovesTheCheckpointLast(t *testing.T) {
	t.Parallel()
	w := newWalk(t, sandbox.Config{}, 0, asIs)
	start := w.poller.cfg.Start
	rows := make([]row, 2500)
	for i := range rows {
		rows[i] = shown(t, i+1, i+1, i, "Confirmed")
	}
	if _, err := w.poller.writer.store(t.Context(), haul{lane: jushuitan.Live, rows: rows, next: func(c *juliuv1.Checkpoint) {
		c.Cursor = timestamppb.New(noon)
	}}); err != nil {
		t.Fatal(err)
	}
	if want := []time.Time{start, start, noon}; !slices.EqualFunc(w.stream.cursors, want, time.Time.Equal) {
		t.Errorf("the cursor went by %v, want %v", w.stream.cursors, want)
	}
	if c := w.stream.checkpoint; c.GetFilter() != "status=all" {
		t.Errorf("the checkpoint names the filter %q", c.GetFilter())
	}
}
