package extractor

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
)

func byTS(c *Config) { c.Cursor, c.Overlap = cursorTS, 10*time.Minute }

func byWindow(c *Config) { c.Overlap = 10 * time.Minute }

// Whether start_ts is included or not, whatever moves, fails or shows ten minutes late, and however often the process starts anew in the one
// mode or the other: looking back alone finds everything, without a sweep.
func TestWalkByRowVersionLosesNothing(t *testing.T) {
	t.Parallel()
	seeds, orders := uint64(1), 800
	if long() {
		seeds, orders = 50, 1500
	}
	for seed := range seeds {
		for _, inclusive := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWalk(t, sandbox.Config{Seed: seed, Orders: orders, InclusiveStart: inclusive}, 10, byTS)
				w.catchUp(t)
				for _, mode := range []func(*Config){byTS, byWindow, byTS, byTS} {
					w.open(t, mode)
					w.goOn(t, 12*time.Minute)
				}
				walking := w.stream.checkpoint.GetVersion() > 0
				w.erp.most = 0
				w.erp.box.Settle()
				w.goOn(t, 12*time.Minute)
				if lost := w.lost(); len(lost) > 0 || len(w.stream.faults) > 0 || !walking {
					t.Errorf("seed %d, start_ts included %v: walking by ts %v, lost %d, %.300v; %d faults, %.300v",
						seed, inclusive, walking, len(lost), fmt.Sprint(lost), len(w.stream.faults), fmt.Sprint(w.stream.faults))
				}
			})
		}
	}
}

func TestWalkByRowVersionRefusesToGoInCircles(t *testing.T) {
	t.Parallel()
	row := func(ts int) []byte {
		return fmt.Appendf(nil, `{"io_id":%d,"ts":%d,"modified":"2026-03-01 19:00:00"}`, 7+ts, ts)
	}
	no := false
	cases := map[string]struct {
		rows [][]byte
		want error
	}{
		"nothing new":                             {nil, nil},
		"the row of start_ts itself":              {[][]byte{row(100)}, nil},
		"newer rows":                              {[][]byte{row(101), row(102)}, nil},
		"a row from before":                       {[][]byte{row(99), row(101)}, ErrStuck},
		"the same row version many times":         {[][]byte{row(100), row(100)}, ErrStuck},
		"rows without a version":                  {[][]byte{[]byte(`{"io_id":7,"modified":"2026-03-01 19:00:00"}`)}, ErrNoTS},
		"one row without a version beside others": {[][]byte{row(101), []byte(`{"io_id":7,"modified":"2026-03-01 19:00:00"}`), row(102)}, nil},
		"a row that cannot be read at all":        {[][]byte{row(100), []byte(`?`)}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWalk(t, sandbox.Config{}, 0, byTS)
				w.poller.reader.erp = answer{jushuitan.Page{Index: 1, Rows: c.rows, HasNext: &no}}
				walk := tsWalk{poller: w.poller, began: time.Now(), at: 100}
				if _, err := walk.run(t.Context(), t.Context(), 100); !errors.Is(err, c.want) {
					t.Fatalf("got %v", err)
				}
			})
		})
	}
}

// A full page of what was asked for and nothing newer is not the end: what lies behind it would be passed over.
func TestWalkByRowVersionDoesNotEndWhereItIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWalk(t, sandbox.Config{}, 0, byTS)
		rows := make([][]byte, 50)
		for i := range rows {
			rows[i] = []byte(`?`)
		}
		w.poller.reader.erp = answer{jushuitan.Page{Index: 1, Rows: rows}}
		walk := tsWalk{poller: w.poller, began: time.Now(), at: 100}
		if _, err := walk.run(t.Context(), t.Context(), 100); !errors.Is(err, ErrStuck) {
			t.Fatalf("got %v", err)
		}
	})
}

// With EXTRACTOR_STATUS=Confirmed orders appear when they ship, and what becomes of them later appears too.
func TestTheWholeLifeOfAShippedOrderReachesTheStream(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]func(*Config){"by window": byWindow, "by row version": byTS} {
		synctest.Test(t, func(t *testing.T) {
			w := newWalk(t, sandbox.Config{Seed: 3, Orders: 800}, 10, func(c *Config) {
				mode(c)
				c.Filter.Status = "Confirmed"
			})
			w.catchUp(t)
			w.goOn(t, 30*time.Minute)
			w.rest(t)
			stored, revoked := w.stream.newest, 0
			for key, final := range w.erp.box.Ledger().Final() {
				shipped := final.Status == "Confirmed" || final.Status == "Cancelled" || final.Status == "Archive"
				if _, ok := stored[key]; ok != shipped || shipped && stored[key].Version.TS != final.TS {
					t.Errorf("%s: order %s of status %s: stored %v as %d, shown as %d", name, key, final.Status, ok, stored[key].Version.TS, final.TS)
				}
				if final.Status == "Cancelled" && len(w.erp.box.Ledger().Versions(key)) > 1 {
					revoked++
				}
			}
			if revoked == 0 || len(w.stream.faults) > 0 {
				t.Errorf("%s: %d shipped orders were cancelled; faults %.300v", name, revoked, fmt.Sprint(w.stream.faults))
			}
		})
	}
}

// An ERP that hides archived orders shows them by number and archive alone; the sweep finds out.
func TestSweepResolvesOrdersThatNoWindowShows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWalk(t, sandbox.Config{Seed: 5, Orders: 800, HideArchived: true}, 10, func(c *Config) { c.PageSize = 7 }) // no more than that are shown at once
		w.catchUp(t)
		w.goOn(t, 20*time.Minute)
		w.rest(t)
		archived := 0
		for key, r := range w.stream.newest {
			versions := w.erp.box.Ledger().Versions(key)
			last := versions[len(versions)-1]
			if r.Version.TS != last.TS {
				t.Errorf("order %s of status %s is stored as %d, is %d", key, last.Status, r.Version.TS, last.TS)
			}
			if last.Status == "Archive" {
				archived++
			}
		}
		if archived == 0 || w.sweep.resolved < archived {
			t.Errorf("%d orders were archived after they were stored, %d resolved", archived, w.sweep.resolved)
		}
	})
}

func TestFilterWantsOrdersFromAStatusOn(t *testing.T) {
	t.Parallel()
	all := []string{"WaitConfirm", "OuterConfirming", "Confirmed", "Cancelled", "Archive", "Delete", "NeverSeen"}
	for asked, wanted := range map[string]string{
		"":                "1111111",
		"WaitConfirm":     "1111111",
		"OuterConfirming": "0111101",
		"Confirmed":       "0011101",
		"Cancelled":       "0001001",
		"Archive":         "0000101",
		"Delete":          "0000011",
	} {
		for i, status := range all {
			if got := (Filter{Status: asked}).wants(status); got != (wanted[i] == '1') {
				t.Errorf("asked for %q, an order of status %s: %v", asked, status, got)
			}
		}
	}
}
