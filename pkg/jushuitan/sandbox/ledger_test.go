package sandbox_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"juliu/pkg/jushuitan/sandbox"
)

func (c caller) own(t *testing.T, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w
}

// TestTheLedgerIsWhatWasVisible looks at all orders after each step, as no reader could: the ledger must hold just what was there.
func TestTheLedgerIsWhatWasVisible(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := newCaller(t, func(cfg *sandbox.Config) {
			cfg.Seed, cfg.Orders = rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(0, 6).Draw(rt, "orders")
			cfg.Faults = sandbox.Faults{Milliseconds: 0.3, TrailingBlank: 0.3, Masked: 0.3}
			cfg.Traffic = sandbox.Traffic{NewShare: 0.2, EditShare: 0.4, LateShare: 0.4, LateMax: 20 * time.Second}
			cfg.Oversize = sandbox.HonourOversize
		})
		seen, served := map[string][]sandbox.Version{}, map[string][]sandbox.Version{}
		look := func() {
			a := c.query(t, `{"start_ts":0,"page_size":10000}`)
			for i, o := range a.orders(t) {
				v := sandbox.Version{TS: o.TS, Status: strings.TrimSpace(o.Status), SHA256: sha256.Sum256(a.Datas[i])}
				note(seen, strconv.FormatInt(*o.IOID, 10), v)
				note(served, strconv.FormatInt(*o.IOID, 10), v)
			}
		}
		look()
		for range rapid.IntRange(0, 25).Draw(rt, "steps") {
			c.clock.add(time.Duration(rapid.IntRange(0, 9000).Draw(rt, "gap")) * time.Millisecond)
			look() // The clock may have shown late commits, which the step may supersede.
			c.Step(1)
		}
		c.Settle()
		look()
		final := c.Ledger().Final()
		if len(final) != len(seen) {
			rt.Fatalf("ledger has %d orders, %d were seen", len(final), len(seen))
		}
		for ioID, want := range seen {
			if diff := cmp.Diff(want, plainVersions(c.Ledger().Versions(ioID))); diff != "" {
				rt.Fatalf("order %s (-seen +ledger):\n%s", ioID, diff)
			}
			if diff := cmp.Diff(want, plainVersions(c.Ledger().Served(ioID))); diff != "" {
				rt.Fatalf("order %s (-seen +served):\n%s", ioID, diff)
			}
			if got := final[ioID]; got.TS != want[len(want)-1].TS {
				rt.Fatalf("order %s ends with %d, %d was seen last", ioID, got.TS, want[len(want)-1].TS)
			}
		}
	})
}

func note(versions map[string][]sandbox.Version, ioID string, v sandbox.Version) {
	if n := len(versions[ioID]); n == 0 || versions[ioID][n-1] != v {
		versions[ioID] = append(versions[ioID], v)
	}
}

// plainVersions leaves out the times, which a row shows only in part.
func plainVersions(versions []sandbox.Version) []sandbox.Version {
	for i := range versions {
		versions[i].Modified, versions[i].VisibleSince = time.Time{}, time.Time{}
	}
	return versions
}

func TestModifiedOfTheLedgerIsTheRowsOne(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults.Milliseconds = 0.5 })
	final := c.Ledger().Final()
	for _, o := range c.all(t, window(start().Add(-24*time.Hour), start())) {
		at, err := time.ParseInLocation("2006-01-02 15:04:05", o.Modified, time.FixedZone("", 8*60*60))
		if err != nil {
			t.Fatal(err)
		}
		if got := final[strconv.FormatInt(*o.IOID, 10)].Modified; !got.Equal(at) {
			t.Errorf("order %d: ledger %v, row %v", *o.IOID, got, at)
		}
	}
}

func TestServedIsWhatStoodInAnAnswer(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults.CutBody = sandbox.Odds{Count: 1} })
	c.ServeHTTP(httptest.NewRecorder(), c.build(t, `{"io_ids":[100001]}`))
	if n := len(c.Ledger().Served("100001")); n != 0 {
		t.Errorf("%d versions served by an answer that was cut", n)
	}
	c.query(t, `{"io_ids":[100001]}`)
	if n := len(c.Ledger().Served("100001")); n != 1 {
		t.Errorf("%d versions served, want 1", n)
	}
	c.SetTraffic(sandbox.Traffic{EditShare: 1})
	for len(c.Ledger().Versions("100001")) == 1 {
		c.Step(1)
	}
	if n := len(c.Ledger().Served("100001")); n != 1 {
		t.Errorf("%d versions served after an edit that nobody asked for, want 1", n)
	}
	for _, ioID := range []string{"100003", "1", "999999999", "x", ""} {
		if n := len(c.Ledger().Served(ioID)); n != 0 {
			t.Errorf("order %q: %d versions served, want none", ioID, n)
		}
	}
}

func TestCountIsHalfOpen(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Orders = 0 })
	c.Step(1)
	second := time.Second
	for _, w := range []struct {
		begin, end time.Time
		want       int
	}{
		{start(), start().Add(second), 1},
		{start().Add(-second), start(), 0},
		{start(), start(), 0},
		{start().Add(second), start().Add(-second), 0},
	} {
		if got := c.Ledger().Count(w.begin, w.end); got != w.want {
			t.Errorf("[%v, %v): %d, want %d", w.begin, w.end, got, w.want)
		}
	}
}

func TestRowsWithoutIdentityAreCounted(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults.NoIdentity = 0.2 })
	nameless := 0
	for _, o := range c.all(t, window(start().Add(-24*time.Hour), start())) {
		if o.IOID == nil {
			nameless++
		}
	}
	l := c.Ledger()
	if nameless == 0 || l.Nameless() != nameless || len(l.Final())+nameless != 200 || l.Count(start().Add(-25*time.Hour), start()) != 200 {
		t.Errorf("%d nameless rows, ledger has %d, %d with identity", nameless, l.Nameless(), len(l.Final()))
	}
}

func TestTheLedgerAsJSON(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	w := c.own(t, http.MethodGet, "/__sandbox/ledger")
	var list []struct {
		IOID     string    `json:"io_id"`
		TS       int64     `json:"ts"`
		Modified time.Time `json:"modified"`
		Status   string    `json:"status"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	final := c.Ledger().Final()
	for _, v := range list {
		if want := final[v.IOID]; v.TS != want.TS || !v.Modified.Equal(want.Modified) || v.Status != want.Status {
			t.Errorf("order %s: %+v, want %+v", v.IOID, v, want)
		}
	}
	if len(list) != len(final) || list[0].IOID != "100000" {
		t.Errorf("%d orders from %s, want %d from 100000", len(list), list[0].IOID, len(final))
	}
}

func TestThePageForPeople(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults.Code199 = sandbox.Odds{Count: 1} })
	c.query(t, c.day(""))
	c.query(t, c.day(""))
	body := c.own(t, http.MethodGet, "/__sandbox/").Body.String()
	for _, want := range []string{"200 orders visible", "<td>Confirmed<td>", "<td>199<td>code 199<td>1", "<td>0<td><td>1"} {
		if !strings.Contains(body, want) {
			t.Errorf("page without %q:\n%s", want, body)
		}
	}
}

func TestSettleOverHTTP(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.Orders, cfg.Traffic = 0, sandbox.Traffic{LateShare: 1, LateMax: time.Hour}
	})
	c.Step(3)
	if w := c.own(t, http.MethodPost, "/__sandbox/settle"); w.Code != http.StatusNoContent {
		t.Errorf("status %d, want 204", w.Code)
	}
	if n := len(c.Ledger().Final()); n != 3 {
		t.Errorf("%d orders, want the 3 late ones", n)
	}
}

// TestManyAtOnce is for the race detector, and checks that no change is lost on the way.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	faults := sandbox.AllFaults(0.2)
	faults.StallFor = time.Microsecond
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.Faults, cfg.Oversize = faults, sandbox.HonourOversize
		cfg.Traffic = sandbox.Traffic{NewShare: 0.2, EditShare: 0.2, LateShare: 0.2, LateMax: time.Second, DriftPerCall: 1}
	})
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			for i := range 25 {
				c.Step(3)
				c.clock.add(100 * time.Millisecond)
				c.ServeHTTP(httptest.NewRecorder(), c.build(t, c.day(fmt.Sprintf(`"page_index":%d,`, 1+i%4))))
				c.Ledger().Versions(strconv.Itoa(100000 + n*i))
				c.Ledger().Count(start(), c.clock.Now())
			}
			c.Ledger().Final()
		})
	}
	group.Wait()
	c.SetFaults(sandbox.Faults{})
	c.Settle()
	c.clock.add(time.Hour)
	var versions int
	var all []int64
	for ioID, v := range c.Ledger().Final() {
		versions += len(c.Ledger().Versions(ioID))
		all = append(all, v.TS)
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != len(c.Ledger().Final()) {
		t.Errorf("two rows share a ts")
	}
	if versions < 200+300 {
		t.Errorf("%d versions, want the 200 of the start, 300 steps and the drift", versions)
	}
}
