package sandbox_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"juliu/pkg/jushuitan/sandbox"
)

func TestThreeQuartersOfThePastAreShipped(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Orders, cfg.History = 4000, 72*time.Hour })
	statuses := map[string]int{}
	first, last := start(), start().Add(-72*time.Hour)
	for _, v := range c.Ledger().Final() {
		statuses[v.Status]++
		first, last = earlier(first, v.Modified), later(last, v.Modified)
	}
	if n := statuses["Confirmed"]; n < 2800 || n > 3200 || len(statuses) != 6 {
		t.Errorf("statuses %v, want about 3000 Confirmed and some of every other", statuses)
	}
	if first.Before(start().Add(-72*time.Hour)) || first.After(start().Add(-71*time.Hour)) ||
		last.After(start()) || last.Before(start().Add(-time.Hour)) {
		t.Errorf("modified from %v to %v, want the 72 hours before %v", first, last, start())
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func TestAllOfThePastInOneSecond(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.History = time.Nanosecond })
	if got := len(c.all(t, window(start().Add(-time.Second), start()))); got != 200 {
		t.Errorf("%d rows in the second before now, want 200", got)
	}
}

// TestLivesAreLegal walks orders and checks every step that a reader could see, and what follows from a status.
func TestLivesAreLegal(t *testing.T) {
	t.Parallel()
	next := map[string][]string{
		"":                {"WaitConfirm", "OuterConfirming", "Confirmed", "Cancelled", "Delete", "Archive"},
		"WaitConfirm":     {"WaitConfirm", "OuterConfirming", "Confirmed", "Delete"},
		"OuterConfirming": {"OuterConfirming", "Confirmed"},
		"Confirmed":       {"Confirmed", "Cancelled", "Archive"},
		"Cancelled":       {"Cancelled"},
		"Delete":          {"Delete"},
		"Archive":         {"Archive"},
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := newCaller(t, func(cfg *sandbox.Config) {
			cfg.Seed, cfg.Orders = rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(0, 30).Draw(rt, "orders")
			cfg.Faults.Milliseconds = 0.5
			cfg.Traffic = sandbox.Traffic{NewShare: 0.2, EditShare: 0.2, LateShare: 0.2, LateMax: time.Minute}
		})
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			c.clock.add(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "gap")) * time.Millisecond)
			c.Step(1)
		}
		c.Settle()
		seen := map[int64]bool{}
		for ioID := range c.Ledger().Final() {
			before := sandbox.Version{}
			for _, v := range c.Ledger().Versions(ioID) {
				if !slices.Contains(next[before.Status], v.Status) {
					rt.Fatalf("order %s went from %q to %q", ioID, before.Status, v.Status)
				}
				if v.TS <= before.TS || v.Modified.Before(before.Modified) || v.VisibleSince.Before(before.VisibleSince) || seen[v.TS] {
					rt.Fatalf("order %s: %+v does not follow %+v", ioID, v, before)
				}
				seen[v.TS] = true
				before = v
			}
		}
		for _, o := range c.all(t, window(start().Add(-24*time.Hour), c.clock.Now().Add(time.Second))) {
			shipped := slices.Contains([]string{"Confirmed", "Cancelled", "Archive"}, o.Status)
			if (o.IODate != nil) != shipped || (o.LID != nil) != shipped {
				rt.Fatalf("order %d is %s, io_date and l_id say otherwise", *o.IOID, o.Status)
			}
		}
	})
}

func TestALateCommitShowsLater(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.Orders, cfg.Traffic = 1, sandbox.Traffic{EditShare: 1, LateShare: 1, LateMax: 10 * time.Minute}
	})
	old := c.query(t, c.day("")).orders(t)[0]
	c.clock.add(time.Hour)
	written := c.clock.Now()
	c.Step(1)
	if o := c.query(t, c.day("")).orders(t); len(o) != 1 || o[0].TS != old.TS {
		t.Fatalf("a late commit shows at once, or hides the version before it: %+v", o)
	}
	var o order
	for o.TS <= old.TS {
		if c.clock.add(time.Second); c.clock.Now().After(written.Add(10*time.Minute + time.Second)) {
			t.Fatalf("not visible after LateMax")
		}
		o = c.query(t, c.day("")).orders(t)[0]
	}
	if o.Modified != chinese(written) {
		t.Errorf("modified %s, want when it was written, %s", o.Modified, chinese(written))
	}
	since := c.Ledger().Final()["100000"].VisibleSince
	if since.After(c.clock.Now()) || !since.After(c.clock.Now().Add(-time.Second)) {
		t.Errorf("visible since %v, seen first at %v", since, c.clock.Now())
	}
}

func TestARowThatIsToCommitIsLocked(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.Orders = 1
		cfg.Traffic = sandbox.Traffic{EditShare: 1, LateShare: 1, LateMax: time.Hour, DriftPerCall: 3}
	})
	c.Step(1)
	before := c.Ledger().Final()["100000"]
	c.query(t, c.day(""))
	if after := c.Ledger().Final()["100000"]; after != before {
		t.Errorf("drift changed a locked row: %+v, before %+v", after, before)
	}
	if n := len(c.Ledger().Versions("100000")); n != 1 {
		t.Errorf("%d versions before the late one is visible, want 1", n)
	}
	c.Settle()
	if n := len(c.Ledger().Versions("100000")); n != 2 {
		t.Errorf("%d versions, want the one of the start and the late one", n)
	}
}

func TestModifiedNeverGoesBack(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Orders, cfg.Traffic.EditShare = 1, 1 })
	c.Step(1)
	c.SetFaults(sandbox.Faults{ClockSkew: -time.Hour})
	c.Step(1)
	v := c.Ledger().Versions("100000")
	if len(v) != 3 || v[2].TS <= v[1].TS || v[2].Modified.Before(v[1].Modified) {
		t.Errorf("versions %+v go back with the clock", v)
	}
}

func TestEditsReadDifferently(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Orders, cfg.Traffic.EditShare = 1, 1 })
	remarks := map[string]bool{}
	for range 10 {
		c.Step(1)
		remarks[c.query(t, c.day("")).orders(t)[0].Remark] = true
	}
	if len(remarks) != 10 {
		t.Errorf("%d different remarks of ten edits", len(remarks))
	}
}

func TestSettleEndsEverything(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.Traffic = sandbox.Traffic{NewShare: 0.5, LateShare: 1, LateMax: time.Hour, DriftPerCall: 3}
	})
	c.Step(20)
	before := len(c.Ledger().Final())
	c.Settle()
	final := c.Ledger().Final()
	if len(final) <= before {
		t.Errorf("%d orders before and %d after, want the late ones too", before, len(final))
	}
	c.all(t, window(start().Add(-24*time.Hour), start()))
	c.clock.add(2 * time.Hour)
	if !maps.Equal(final, c.Ledger().Final()) {
		t.Errorf("orders changed after Settle")
	}
}

// walk reads every page of a window in the order given and returns the io_ids that it saw.
func walk(t *testing.T, c caller, win string, lastFirst bool) map[string]bool {
	t.Helper()
	page := func(index int) reply {
		return c.query(t, `{"page_size":20,"page_index":`+strconv.Itoa(index)+","+win+"}")
	}
	seen := map[string]bool{}
	take := func(a reply) {
		for _, o := range a.orders(t) {
			seen[strconv.FormatInt(*o.IOID, 10)] = true
		}
	}
	if !lastFirst {
		for index := 1; ; index++ {
			a := page(index)
			take(a)
			if !*a.HasNext {
				return seen
			}
		}
	}
	for index := *page(1).PageCount; index >= 1; index-- {
		take(page(index))
	}
	return seen
}

// TestDriftLosesRowsOfAForwardWalk reads one past window while rows leave it. What stays in the window must be seen by a reader that
// begins at the last page, and is missed in part by one that begins at the first.
func TestDriftLosesRowsOfAForwardWalk(t *testing.T) {
	t.Parallel()
	past := window(start().Add(-24*time.Hour), start())
	for _, lastFirst := range []bool{false, true} {
		lost := 0
		for seed := range uint64(4) {
			c := newCaller(t, func(cfg *sandbox.Config) {
				cfg.Seed, cfg.Orders, cfg.Traffic.DriftPerCall = seed, 300, 3
			})
			c.clock.add(time.Hour)
			seen := walk(t, c, past, lastFirst)
			for ioID, v := range c.Ledger().Final() {
				if !v.Modified.After(start()) && !seen[ioID] {
					lost++
				}
			}
		}
		if lastFirst && lost != 0 {
			t.Errorf("last page first lost %d rows that never moved", lost)
		}
		if !lastFirst && lost < 20 {
			t.Errorf("first page first lost %d rows, want many: the drift is too tame", lost)
		}
	}
}

func TestDriftChangesAsManyRowsAsAsked(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Traffic.DriftPerCall = 4 })
	past := window(start().Add(-24*time.Hour), start())
	c.clock.add(time.Hour)
	for call := 1; call <= 5; call++ {
		a := c.query(t, "{"+past+"}")
		if want := 200 - 4*call; *a.DataCount != want {
			t.Fatalf("call %d: %d rows in the window, want %d", call, *a.DataCount, want)
		}
	}
	c.query(t, "{"+window(start().AddDate(-1, 0, -1), start().AddDate(-1, 0, 0))+"}")
	if got := c.Ledger().Count(start().Add(time.Minute), c.clock.Now().Add(time.Second)); got <= 20 {
		t.Errorf("a window without rows made no change elsewhere: %d rows moved", got)
	}
}

func TestRunMakesAsManyChangesAsItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.New(sandbox.Config{Seed: 3, Now: time.Now, Traffic: sandbox.Traffic{PerSecond: 7, NewShare: 1}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-time.After(10 * time.Second)
		synctest.Wait()
		if n := len(s.Ledger().Final()); n < 69 || n > 70 {
			t.Errorf("%d orders after ten seconds, want 70", n)
		}
		s.SetTraffic(sandbox.Traffic{})
		<-time.After(10 * time.Second)
		synctest.Wait()
		if n := len(s.Ledger().Final()); n > 70 {
			t.Errorf("%d orders, want no more than before the traffic ended", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
