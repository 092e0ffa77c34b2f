package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/jushuitan/sandbox"
)

// answered is what came over the wire.
type answered struct {
	status int
	header http.Header
	body   string
	err    error
}

// overWire sends a call through a real server.
func (c caller) overWire(t *testing.T, server *httptest.Server, r request) answered {
	t.Helper()
	built := r.build(t)
	req, err := http.NewRequestWithContext(t.Context(), built.Method, server.URL+built.URL.RequestURI(), built.Body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = built.Header
	resp, err := server.Client().Do(req)
	if err != nil {
		return answered{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answered{resp.StatusCode, resp.Header, string(body), err}
}

func TestFaultsOfCalls(t *testing.T) {
	t.Parallel()
	once := sandbox.Odds{Count: 1}
	is := func(code, text string) func(answered) bool {
		return func(a answered) bool {
			return a.err == nil && a.status == 200 && strings.Contains(a.body, `"code":`+code+`,`) && strings.Contains(a.body, text)
		}
	}
	for name, c := range map[string]struct {
		faults sandbox.Faults
		want   func(answered) bool
		call   sandbox.Call
	}{
		"http 429": {sandbox.Faults{HTTP429: once}, func(a answered) bool {
			return a.status == 429 && a.header.Get("Retry-After") == "1"
		}, sandbox.Call{Code: -1}},
		"http 502": {sandbox.Faults{HTTP502: once}, func(a answered) bool {
			return a.status == 502 && strings.HasPrefix(a.body, "<html>") && strings.HasPrefix(a.header.Get("Content-Type"), "text/html")
		}, sandbox.Call{Code: -1}},
		"html 200": {sandbox.Faults{HTML200: once}, func(a answered) bool {
			return a.status == 200 && strings.HasPrefix(a.body, "<!doctype html>")
		}, sandbox.Call{Code: -1}},
		"cut body": {sandbox.Faults{CutBody: once}, func(a answered) bool {
			return errors.Is(a.err, io.ErrUnexpectedEOF) && strings.HasPrefix(a.body, `{"code":0`) && !json.Valid([]byte(a.body))
		}, sandbox.Call{}},
		"reset": {sandbox.Faults{Reset: once}, func(a answered) bool {
			return errors.Is(a.err, syscall.ECONNRESET)
		}, sandbox.Call{Code: -1}},
		"stall":          {sandbox.Faults{Stall: once, StallFor: time.Millisecond}, is("0", `"datas":[{`), sandbox.Call{}},
		"code 100":       {sandbox.Faults{Code100: once}, is("100", "access_token"), sandbox.Call{Code: 100}},
		"code 110":       {sandbox.Faults{Code110: once}, is("110", "：127.0.0.1"), sandbox.Call{Code: 110}},
		"code 150":       {sandbox.Faults{Code150: once}, is("150", "内部错误"), sandbox.Call{Code: 150}},
		"code 190":       {sandbox.Faults{Code190: once}, is("190", "API权限"), sandbox.Call{Code: 190}},
		"code 199":       {sandbox.Faults{Code199: once}, is("199", "频次"), sandbox.Call{Code: 199}},
		"code 200":       {sandbox.Faults{Code200: once}, is("200", "频次"), sandbox.Call{Code: 200}},
		"unknown code":   {sandbox.Faults{UnknownCode: once}, is("7341", "系统繁忙"), sandbox.Call{Code: 7341}},
		"text has_next":  {sandbox.Faults{TextHasNext: once}, is("0", `"has_next":"true",`), sandbox.Call{}},
		"wrong has_next": {sandbox.Faults{WrongHasNext: once}, is("0", `"has_next":false,`), sandbox.Call{}},
		"no has_next": {sandbox.Faults{NoHasNext: once}, func(a answered) bool {
			return is("0", `"datas":[{`)(a) && !strings.Contains(a.body, "has_next")
		}, sandbox.Call{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults = c.faults })
			server := httptest.NewServer(call)
			t.Cleanup(server.Close)
			a := call.overWire(t, server, call.request(call.day("")))
			if !c.want(a) {
				t.Errorf("answer %d %.200q, error %v", a.status, a.body, a.err)
			}
			again := call.overWire(t, server, call.request(call.day("")))
			if !is("0", `"has_next":true,`)(again) {
				t.Errorf("the call after: %d %.200q, error %v", again.status, again.body, again.err)
			}
			c.call.Route, c.call.Fault = "/open/orders/out/simple/query", name
			if n := call.Ledger().Calls()[c.call]; n != 1 {
				t.Errorf("ledger has %v, want %+v once", call.Ledger().Calls(), c.call)
			}
		})
	}
}

func TestFaultsThatCorruptAWalk(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	ids := func(page string) []int64 {
		var ids []int64
		for _, o := range c.query(t, c.day(`"page_size":50,"page_index":`+page+",")).orders(t) {
			ids = append(ids, *o.IOID)
		}
		return ids
	}
	first, second, last := ids("1"), ids("2"), ids("4")
	c.SetFaults(sandbox.Faults{RepeatPage: sandbox.Odds{Rate: 1}})
	if got := ids("2"); got[0] != first[0] || got[49] != first[49] {
		t.Errorf("page 2 is not page 1 again")
	}
	c.SetFaults(sandbox.Faults{ShortPage: sandbox.Odds{Rate: 1}})
	if got := ids("2"); len(got) != 33 || got[0] != second[0] || got[32] != second[32] {
		t.Errorf("short page has %d rows, want the first 33", len(got))
	}
	if got := ids("4"); len(got) != len(last) {
		t.Errorf("the last page has %d rows, want %d: only pages in the middle are short", len(got), len(last))
	}
}

func TestAFaultDoesNotHideAWrongCall(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults.Code199 = sandbox.Odds{Rate: 1} })
	r := c.request(c.day(""))
	r.wrongSign = true
	if a := c.send(t, r); a.Code != 10 {
		t.Errorf("code %d, want 10", a.Code)
	}
}

func TestWaitsAreAsLongAsAsked(t *testing.T) {
	t.Parallel()
	stall := sandbox.Odds{Rate: 1}
	for name, c := range map[string]struct {
		faults sandbox.Faults
		page   int
		want   time.Duration
	}{
		"a stall by default":     {sandbox.Faults{Stall: stall}, 1, 30 * time.Second},
		"a stall as set":         {sandbox.Faults{Stall: stall, StallFor: time.Minute}, 1, time.Minute},
		"the tenth page":         {sandbox.Faults{SlowPages: time.Second}, 10, 0},
		"the eleventh page":      {sandbox.Faults{SlowPages: time.Second}, 11, 10 * time.Second},
		"the hundred-first page": {sandbox.Faults{SlowPages: time.Second}, 101, 100 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				call := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults = c.faults })
				began := time.Now()
				call.query(t, call.day(`"page_size":1,"page_index":`+strconv.Itoa(c.page)+","))
				if took := time.Since(began); took != c.want {
					t.Errorf("took %v, want %v", took, c.want)
				}
			})
		})
	}
}

func TestACallerThatGivesUpChangesNothing(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.Faults.Stall = sandbox.Odds{Rate: 1}
		cfg.Traffic.DriftPerCall = 5
	})
	before := c.Ledger().Final()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, c.build(t, c.day("")).WithContext(ctx))
	for ioID, v := range c.Ledger().Final() {
		if v.TS != before[ioID].TS || len(c.Ledger().Served(ioID)) != 0 {
			t.Fatalf("order %s changed or counts as served", ioID)
		}
	}
}

func TestOddsAreKept(t *testing.T) {
	t.Parallel()
	faults := sandbox.AllFaults(0.3)
	faults.StallFor = time.Nanosecond
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults, cfg.Orders = faults, 3 })
	const calls = 3000
	for range calls {
		c.ServeHTTP(httptest.NewRecorder(), c.build(t, `{"io_ids":[100001]}`))
	}
	struck, kinds := 0, map[string]bool{}
	for call, n := range c.Ledger().Calls() {
		if call.Fault != "" {
			struck += n
			kinds[call.Fault] = true
		}
	}
	if struck < calls*25/100 || struck > calls*35/100 {
		t.Errorf("%d of %d calls struck, want about 30 %%", struck, calls)
	}
	if len(kinds) != 15 {
		t.Errorf("kinds %v, want the 15 that leave the data whole", kinds)
	}
	for _, corrupting := range []string{"wrong has_next", "repeat page", "short page"} {
		if kinds[corrupting] {
			t.Errorf("AllFaults corrupts walks by %q", corrupting)
		}
	}
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	now := newClock().Now
	for name, cfg := range map[string]sandbox.Config{
		"no clock":             {},
		"fewer than no orders": {Now: now, Orders: -1},
		"a term below zero":    {Now: now, TokenTTL: -1},
		"a share above one":    {Now: now, Traffic: sandbox.Traffic{LateShare: 1.1}},
		"shares above one":     {Now: now, Traffic: sandbox.Traffic{NewShare: 0.6, EditShare: 0.6}},
		"traffic below zero":   {Now: now, Traffic: sandbox.Traffic{PerSecond: -1}},
		"odds below zero":      {Now: now, Faults: sandbox.Faults{Reset: sandbox.Odds{Rate: -0.1}}},
		"odds above one":       {Now: now, Faults: sandbox.Faults{Reset: sandbox.Odds{Rate: 0.6}, Stall: sandbox.Odds{Rate: 0.6}}},
		"a count below zero":   {Now: now, Faults: sandbox.Faults{Reset: sandbox.Odds{Count: -1}}},
		"a flaw above one":     {Now: now, Faults: sandbox.Faults{Masked: 2}},
		"a stall below zero":   {Now: now, Faults: sandbox.Faults{StallFor: -1}},
	} {
		if _, err := sandbox.New(cfg); err == nil || !strings.HasPrefix(err.Error(), "configure sandbox: ") {
			t.Errorf("%s: error %v, want one that says so", name, err)
		}
	}
}
