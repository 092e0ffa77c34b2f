package sandbox_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"juliu/pkg/jushuitan/sandbox"
)

// numbers is a JSON list of n numbers, quoted as the mark says.
func numbers(n int, mark string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = mark + strconv.Itoa(100000+i) + mark
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestBusinessRules(t *testing.T) {
	t.Parallel()
	span := func(d time.Duration) string { return window(start().Add(-d), start()) }
	const week = 7 * 24 * time.Hour
	for name, c := range map[string]struct {
		biz    string
		breaks bool // a rule: openapi 130, partner 140
		bad    bool // a value that cannot be read: 130 on both
	}{
		"a window of seven days":                   {biz: span(week)},
		"a window of one second more":              {biz: span(week + time.Second), breaks: true},
		"a begin without end":                      {biz: `"modified_begin":"2026-03-01 00:00:00"`, breaks: true},
		"an end without begin":                     {biz: `"modified_end":"2026-03-01 00:00:00"`, breaks: true},
		"an end that is empty":                     {biz: `"modified_begin":"2026-03-01 00:00:00","modified_end":""`, breaks: true},
		"a begin behind the end":                   {biz: span(-time.Second), breaks: true},
		"a window of one moment":                   {biz: span(0)},
		"nothing at all":                           {biz: ``, breaks: true},
		"a status alone":                           {biz: `"status":"Confirmed"`, breaks: true},
		"empty lists alone":                        {biz: `"so_ids":[],"io_ids":[],"o_ids":null`, breaks: true},
		"a distributor over a day":                 {biz: `"drp_co_id":10022001,` + span(24*time.Hour)},
		"a distributor over more than a day":       {biz: `"drp_co_id":10022001,` + span(24*time.Hour+time.Second), breaks: true},
		"fifty numbers":                            {biz: `"io_ids":` + numbers(50, "")},
		"fifty-one io_ids":                         {biz: `"io_ids":` + numbers(51, ""), breaks: true},
		"fifty-one o_ids":                          {biz: `"o_ids":` + numbers(51, ""), breaks: true},
		"fifty-one so_ids":                         {biz: `"so_ids":` + numbers(51, `"`), breaks: true},
		"fifty-one wave_ids":                       {biz: span(0) + `,"wave_ids":` + numbers(51, ""), breaks: true},
		"twenty l_ids":                             {biz: `"l_ids":` + numbers(20, `"`)},
		"twenty-one l_ids":                         {biz: `"l_ids":` + numbers(21, `"`), breaks: true},
		"numbers as text":                          {biz: `"page_index":"1","page_size":"50","shop_id":"10394533","io_ids":` + numbers(3, `"`)},
		"page 0":                                   {biz: `"page_index":0,` + span(0), breaks: true},
		"no rows a page":                           {biz: `"page_size":0,` + span(0), breaks: true},
		"a page far behind the end":                {biz: `"page_index":9223372036854775807,` + span(0)},
		"page_index null":                          {biz: `"page_index":null,` + span(0)},
		"a status that exists":                     {biz: `"status":"OuterConfirming",` + span(0)},
		"a status that does not":                   {biz: `"status":"Shipped",` + span(0), breaks: true},
		"date_type 2":                              {biz: `"date_type":2,` + span(0)},
		"date_type 1":                              {biz: `"date_type":1,` + span(0), breaks: true},
		"start_ts alone":                           {biz: `"start_ts":1`},
		"the last start_ts there can be":           {biz: `"start_ts":9223372036854775807`},
		"fields that exist":                        {biz: `"inout_flds":["oaid","volume"],"inout_item_flds":["bu_id"],` + span(0)},
		"inout_flds that do not":                   {biz: `"inout_flds":["colour"],` + span(0), bad: true},
		"inout_item_flds that do not":              {biz: `"inout_item_flds":["colour"],` + span(0), bad: true},
		"a time without its seconds":               {biz: `"modified_begin":"2026-03-01 00:00","modified_end":"2026-03-01 00:01"`, bad: true},
		"a page in words":                          {biz: `"page_index":"one",` + span(0), bad: true},
		"a page with decimals":                     {biz: `"page_index":1.5,` + span(0), bad: true},
		"an object in place of a number":           {biz: `"page_index":{},` + span(0), bad: true},
		"a yes in place of a boolean":              {biz: `"archive":"yes",` + span(0), bad: true},
		"a text in place of a list":                {biz: `"so_ids":"1,2"`, bad: true},
		"a list in a list":                         {biz: `"so_ids":[["1"]]`, bad: true},
		"a word in a list of numbers":              {biz: `"io_ids":["x"]`, bad: true},
		"a parameter that nobody knows is ignored": {biz: `"colour":"red",` + span(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCaller(t, nil)
			for _, call.partner = range []bool{false, true} {
				want := 0
				switch {
				case c.bad, c.breaks && !call.partner:
					want = 130
				case c.breaks:
					want = 140
				}
				if a := call.query(t, "{"+c.biz+"}"); a.Code != want {
					t.Errorf("partner %v: code %d %q, want %d", call.partner, a.Code, a.Msg, want)
				}
			}
		})
	}
}

func TestPageSizePolicies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy   sandbox.Oversize
		asked    string
		code     int
		size, in int
	}{
		"default":              {sandbox.ClampOversize, ``, 0, 30, 30},
		"fifty":                {sandbox.RefuseOversize, `"page_size":50,`, 0, 50, 50},
		"too much is clamped":  {sandbox.ClampOversize, `"page_size":51,`, 0, 50, 50},
		"too much is refused":  {sandbox.RefuseOversize, `"page_size":51,`, 130, 0, 0},
		"too much is honoured": {sandbox.HonourOversize, `"page_size":120,`, 0, 120, 120},
		"all there could be":   {sandbox.HonourOversize, `"page_size":9223372036854775807,`, 0, 9223372036854775807, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCaller(t, func(cfg *sandbox.Config) { cfg.Oversize = c.policy })
			a := call.query(t, call.day(c.asked))
			if a.Code != c.code || a.PageSize != c.size || len(a.Datas) != c.in {
				t.Errorf("code %d, page_size %d, %d rows; want %d, %d, %d", a.Code, a.PageSize, len(a.Datas), c.code, c.size, c.in)
			}
		})
	}
}

func TestPagesPartTheWindow(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	var seen []int64
	for index := 1; index <= 5; index++ {
		a := c.query(t, c.day(`"page_size":50,"page_index":`+strconv.Itoa(index)+","))
		wantRows, wantNext := 50, index < 4
		if index > 4 {
			wantRows = 0
		}
		if len(a.Datas) != wantRows || *a.HasNext != wantNext || *a.DataCount != 200 || *a.PageCount != 4 || a.PageIndex != index {
			t.Fatalf("page %d: %d rows, has_next %v, %d rows on %d pages", index, len(a.Datas), *a.HasNext, *a.DataCount, *a.PageCount)
		}
		last := ""
		for _, o := range a.orders(t) {
			if o.Modified < last {
				t.Errorf("page %d: modified goes back from %s to %s", index, last, o.Modified)
			}
			last = o.Modified
			seen = append(seen, *o.IOID)
		}
	}
	slices.Sort(seen)
	if got := len(slices.Compact(seen)); got != 200 {
		t.Errorf("%d different orders, want 200", got)
	}
}

func TestFiltersTakeWhatTheyName(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Orders = 1000 })
	day := window(start().Add(-24*time.Hour), start())
	everything := c.all(t, day)
	var o order
	for _, o = range everything {
		if o.IODate != nil && o.Dealer != "" && o.ShopID != 0 {
			break
		}
	}
	for name, f := range map[string]struct {
		members string
		takes   func(order) bool
	}{
		"nothing":           {day, func(order) bool { return true }},
		"status":            {`"status":"WaitConfirm",` + day, func(o order) bool { return o.Status == "WaitConfirm" }},
		"archive":           {`"archive":true,` + day, func(o order) bool { return o.Status == "Archive" }},
		"shop":              {`"shop_id":10394534,` + day, func(o order) bool { return o.ShopID == 10394534 }},
		"offline":           {`"shop_id":0,"is_offline_shop":true,` + day, func(o order) bool { return o.ShopID == 0 }},
		"shop 0 alone":      {`"shop_id":0,` + day, func(order) bool { return true }},
		"warehouse":         {`"wms_co_id":11053188,` + day, func(o order) bool { return o.WmsCoID == 11053188 }},
		"another owner":     {`"owner_co_id":1,` + day, func(order) bool { return false }},
		"distributor":       {`"drp_co_id":` + o.Dealer + "," + day, func(p order) bool { return p.Dealer == o.Dealer }},
		"io_ids":            {fmt.Sprintf(`"io_ids":[%d,7]`, *o.IOID), func(p order) bool { return *p.IOID == *o.IOID }},
		"o_ids":             {fmt.Sprintf(`"o_ids":["%d"]`, o.OID), func(p order) bool { return p.OID == o.OID }},
		"so_ids":            {fmt.Sprintf(`"so_ids":["%s","none"]`, o.SOID), func(p order) bool { return p.SOID == o.SOID }},
		"l_ids":             {fmt.Sprintf(`"l_ids":["%s"]`, *o.LID), func(p order) bool { return p.LID != nil && *p.LID == *o.LID }},
		"waves":             {fmt.Sprintf(`"wave_ids":[%d],%s`, *o.WaveID, day), func(p order) bool { return p.WaveID != nil && *p.WaveID == *o.WaveID }},
		"a shipping window": {`"date_type":2,` + day, func(p order) bool { return p.IODate != nil }},
		"two lists at once": {fmt.Sprintf(`"io_ids":[%d],"so_ids":["1"]`, *o.IOID), func(order) bool { return false }},
		"start_ts":          {fmt.Sprintf(`"is_get_total":true,"start_ts":%d`, o.TS), func(p order) bool { return p.TS > o.TS }},
		"start_ts and window": {
			fmt.Sprintf(`"start_ts":%d,%s`, o.TS, window(start().Add(-6*time.Hour), start())),
			func(p order) bool { return p.TS > o.TS && p.Modified >= chinese(start().Add(-6*time.Hour)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want, got []int64
			for _, p := range everything {
				if f.takes(p) {
					want = append(want, *p.IOID)
				}
			}
			for _, p := range c.all(t, f.members) {
				got = append(got, *p.IOID)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%d orders, want %d", len(got), len(want))
			}
		})
	}
}

func TestATrackingNumberIsFoundOnceItIsUsed(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	shipped := 0
	for _, o := range c.all(t, window(start().Add(-24*time.Hour), start())) {
		n := 144_000_000_000 + 3**o.IOID
		a := c.query(t, fmt.Sprintf(`{"l_ids":["%d","SF%d","YT%d","JD%d"]}`, n, n, n, n))
		if want := min(1, len(pointed(o.LID))); len(a.Datas) != want {
			t.Errorf("order %d, l_id %q: %d rows, want %d", *o.IOID, pointed(o.LID), len(a.Datas), want)
		}
		shipped += len(a.Datas)
	}
	if shipped == 0 || shipped == 200 {
		t.Errorf("%d of 200 orders are shipped, want some", shipped)
	}
}

func pointed(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestSplitOrdersShareTheirInternalNumber(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	orders := c.query(t, `{"o_ids":[36018]}`).orders(t)
	if len(orders) != 2 || *orders[0].IOID == *orders[1].IOID {
		t.Fatalf("%d orders of one o_id, want 2 different ones", len(orders))
	}
	if orders[0].SOID != orders[1].SOID {
		t.Errorf("split orders have so_id %s and %s, want one", orders[0].SOID, orders[1].SOID)
	}
}

func TestEdgesOfTheWindow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edges sandbox.Edges
		want  [4]int // window ends on the row, begins on it, is it, lies around it
	}{
		"inclusive": {sandbox.InclusiveEdges, [4]int{1, 1, 1, 1}},
		"half open": {sandbox.HalfOpenEdges, [4]int{0, 1, 0, 1}},
		"exclusive": {sandbox.ExclusiveEdges, [4]int{0, 0, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCaller(t, func(cfg *sandbox.Config) { cfg.Edges, cfg.Orders = c.edges, 0 })
			call.Step(1)
			now := start()
			for i, w := range []string{
				window(now.Add(-time.Second), now), window(now, now.Add(time.Second)), window(now, now),
				window(now.Add(-time.Second), now.Add(time.Second)),
			} {
				if a := call.query(t, "{"+w+"}"); len(a.Datas) != c.want[i] || *a.DataCount != c.want[i] {
					t.Errorf("%s: %d rows, want %d", w, len(a.Datas), c.want[i])
				}
			}
		})
	}
}

func TestAnEndWithoutFractionMissesARowWithOne(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Orders, cfg.Faults.Milliseconds = 0, 1 })
	c.clock.add(700 * time.Millisecond)
	c.Step(1)
	if a := c.query(t, "{"+window(start(), start())+"}"); len(a.Datas) != 0 {
		t.Errorf("a row at .700 lies in a window that ends at .000")
	}
	a := c.query(t, "{"+window(start(), start().Add(time.Second))+"}")
	if len(a.Datas) != 1 || a.orders(t)[0].Modified != "2026-03-02 10:00:00.700" {
		t.Errorf("the next second: %s", a.raw)
	}
}

func TestCursorByRowVersion(t *testing.T) {
	t.Parallel()
	for _, inclusive := range []bool{false, true} {
		c := newCaller(t, func(cfg *sandbox.Config) { cfg.InclusiveStart = inclusive })
		var seen []order
		cursor := int64(1)
		for {
			a := c.query(t, fmt.Sprintf(`{"start_ts":%d,"page_size":50}`, cursor))
			if a.DataCount != nil || a.PageCount != nil {
				t.Fatalf("totals with start_ts, want none unless asked for")
			}
			page := a.orders(t)
			if inclusive && len(seen) > 0 && page[0].TS != cursor {
				t.Fatalf("first row has ts %d, want the cursor %d", page[0].TS, cursor)
			}
			seen = append(seen, page...)
			cursor = seen[len(seen)-1].TS
			if !*a.HasNext {
				break
			}
		}
		if !slices.IsSortedFunc(seen, func(a, b order) int { return int(a.TS - b.TS) }) {
			t.Errorf("inclusive %v: rows are not in the order of ts", inclusive)
		}
		ids := map[int64]bool{}
		for _, o := range seen {
			ids[*o.IOID] = true
			if o.TS <= 1<<31 {
				t.Errorf("ts %d fits into 32 bits", o.TS)
			}
		}
		if len(ids) != 200 {
			t.Errorf("inclusive %v: %d orders, want 200", inclusive, len(ids))
		}
	}
}

func TestArchivedOrdersHide(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.HideArchived = true })
	day := window(start().Add(-24*time.Hour), start())
	hidden := len(c.all(t, `"archive":true,`+day))
	shown := c.all(t, day)
	if hidden == 0 || hidden+len(shown) != 200 {
		t.Errorf("%d hidden and %d shown, want 200 together", hidden, len(shown))
	}
	for _, o := range shown {
		if o.Status == "Archive" {
			t.Errorf("order %d is archived and shown", *o.IOID)
		}
	}
	if got := len(c.Ledger().Final()); got != len(shown) {
		t.Errorf("ledger has %d orders, queries show %d", got, len(shown))
	}
}

// FuzzQuery sends any bytes as business parameters: the answer is one of the vendor's, in JSON.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"io_ids":[100001]}`, `{"start_ts":"1","page_index":9223372036854775807,"page_size":50}`, `{"so_ids":["3425786782000000000"]}`,
		`{"modified_begin":"2026-03-01 10:00:00","modified_end":"2026-03-02 10:00:00","page_size":1e3}`, `{"l_ids":["SF1"],"status":"x"}`,
		`{"o_ids":[-9223372036854775808],"date_type":2}`, `{"page_index":1,"page_index":2,"inout_flds":[null]}`, "\xff",
	} {
		f.Add(seed)
	}
	clock := newClock()
	s, err := sandbox.New(sandbox.Config{Seed: 1, Now: clock.Now, Orders: 100, Oversize: sandbox.HonourOversize})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, biz string) {
		c := caller{Sandbox: s, clock: clock, partner: true}
		a := c.query(t, biz)
		if a.Code != 0 && a.Code != 130 && a.Code != 140 && a.Code != 170 {
			t.Errorf("code %d for %q", a.Code, biz)
		}
		if !json.Valid([]byte(a.raw)) {
			t.Errorf("no JSON: %s", a.raw)
		}
	})
}
