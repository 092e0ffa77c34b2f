package sandbox_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"juliu/pkg/jushuitan/sandbox"
)

// start is a moment at which every test begins, 2026-03-02 10:00:00 in China.
func start() time.Time { return time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC) }

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// caller talks to a sandbox as a client would, with signatures of its own making.
type caller struct {
	*sandbox.Sandbox
	clock   *clock
	partner bool
}

func newCaller(t *testing.T, change func(*sandbox.Config)) caller {
	t.Helper()
	clock := newClock()
	cfg := sandbox.Config{Seed: 1, Now: clock.Now, Orders: 200}
	if change != nil {
		change(&cfg)
	}
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return caller{Sandbox: s, clock: clock}
}

// request is a signed business call, still to be spoilt by a test.
type request struct {
	method, path string
	values       url.Values // form of the new gateway, query string of the old one
	key          string
	partner      bool
	body, ip     string
	wrongSign    bool
}

func (c caller) request(biz string) request {
	now := strconv.FormatInt(c.clock.Now().Unix(), 10)
	r := request{method: http.MethodPost, key: sandbox.DefaultAppSecret, ip: "192.0.2.7", partner: c.partner, body: biz}
	if c.partner {
		r.path = "/api/open/query.aspx"
		r.values = url.Values{
			"method": {"orders.out.simple.query"}, "partnerid": {sandbox.DefaultAppKey},
			"token": {sandbox.DefaultAccessToken}, "ts": {now},
		}
		return r
	}
	r.path = "/open/orders/out/simple/query"
	r.values = url.Values{
		"app_key": {sandbox.DefaultAppKey}, "access_token": {sandbox.DefaultAccessToken}, "timestamp": {now},
		"charset": {"utf-8"}, "version": {"2"}, "biz": {biz},
	}
	return r
}

func (c caller) build(tb testing.TB, biz string) *http.Request {
	tb.Helper()
	r := c.request(biz)
	return r.build(tb)
}

func hash(text string) string {
	digest := md5.Sum([]byte(text))
	return hex.EncodeToString(digest[:])
}

func (r *request) build(tb testing.TB) *http.Request {
	tb.Helper()
	target, body, kind := r.path, r.body, "application/json"
	if r.partner {
		v := r.values
		if !r.wrongSign && v.Get("sign") == "" {
			v.Set("sign", hash(v.Get("method")+v.Get("partnerid")+"token"+v.Get("token")+"ts"+v.Get("ts")+r.key))
		}
		target += "?" + v.Encode()
	} else {
		if !r.wrongSign {
			var text strings.Builder
			text.WriteString(r.key)
			names := make([]string, 0, len(r.values))
			for name := range r.values {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				if value := r.values.Get(name); value != "" && name != "sign" {
					text.WriteString(name + value)
				}
			}
			r.values.Set("sign", hash(text.String()))
		}
		body, kind = r.values.Encode(), "application/x-www-form-urlencoded;charset=UTF-8"
	}
	if r.wrongSign {
		r.values.Set("sign", strings.Repeat("0", 32))
		if r.partner {
			target = r.path + "?" + r.values.Encode()
		} else {
			body = r.values.Encode()
		}
	}
	req := httptest.NewRequestWithContext(tb.Context(), r.method, target, strings.NewReader(body))
	req.Header.Set("Content-Type", kind)
	req.RemoteAddr = r.ip + ":40000"
	return req
}

// reply is an answer of either gateway in one form.
type reply struct {
	Code      int             `json:"code"`
	Msg       string          `json:"msg"`
	IsSuccess *bool           `json:"issuccess"`
	Data      json.RawMessage `json:"data"`
	page
	header http.Header
	raw    string
}

type page struct {
	PageIndex int               `json:"page_index"`
	PageSize  int               `json:"page_size"`
	DataCount *int              `json:"data_count"`
	PageCount *int              `json:"page_count"`
	HasNext   *bool             `json:"has_next"`
	Datas     []json.RawMessage `json:"datas"`
}

// raw is the body of an answer of status 200.
func (c caller) raw(t *testing.T, r request) string {
	t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r.build(t))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d, want 200: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func (c caller) send(t *testing.T, r request) reply {
	t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r.build(t))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d, want 200: %s", w.Code, w.Body)
	}
	return decode(t, w.Header(), w.Body.String(), r.partner)
}

func decode(t *testing.T, header http.Header, body string, partner bool) reply {
	t.Helper()
	a := reply{header: header, raw: body}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("answer is no JSON: %v\n%s", err, body)
	}
	if !partner && len(a.Data) > 0 && string(a.Data) != "null" {
		if err := json.Unmarshal(a.Data, &a.page); err != nil {
			t.Fatalf("data is no page: %v", err)
		}
	}
	return a
}

func (c caller) query(t *testing.T, biz string) reply {
	t.Helper()
	return c.send(t, c.request(biz))
}

// day is a query of everything that was modified in the day before now, with further members in front.
func (c caller) day(members string) string {
	now := c.clock.Now()
	return "{" + members + window(now.Add(-24*time.Hour), now) + "}"
}

func chinese(t time.Time) string {
	return t.In(time.FixedZone("", 8*60*60)).Format("2006-01-02 15:04:05")
}

func window(begin, end time.Time) string {
	return `"modified_begin":"` + chinese(begin) + `","modified_end":"` + chinese(end) + `"`
}

// order is what tests look at in a row.
type order struct {
	IOID     *int64  `json:"io_id"`
	OID      int64   `json:"o_id"`
	SOID     string  `json:"so_id"`
	ShopID   int64   `json:"shop_id"`
	TS       int64   `json:"ts"`
	Modified string  `json:"modified"`
	IODate   *string `json:"io_date"`
	LID      *string `json:"l_id"`
	WaveID   *int64  `json:"wave_id"`
	Status   string  `json:"status"`
	WmsCoID  int64   `json:"wms_co_id"`
	Remark   string  `json:"remark"`
	Dealer   string  `json:"drp_co_id_from"`
}

func (a reply) orders(t *testing.T) []order {
	t.Helper()
	orders := make([]order, len(a.Datas))
	for i, row := range a.Datas {
		if err := json.Unmarshal(row, &orders[i]); err != nil {
			t.Fatalf("row %d: %v\n%s", i, err, row)
		}
	}
	return orders
}

// all reads every page of a query that is complete but for its page.
func (c caller) all(t *testing.T, members string) []order {
	t.Helper()
	var orders []order
	for index := 1; ; index++ {
		a := c.query(t, `{"page_index":`+strconv.Itoa(index)+`,"page_size":50,`+members+"}")
		if a.Code != 0 {
			t.Fatalf("code %d: %s", a.Code, a.Msg)
		}
		orders = append(orders, a.orders(t)...)
		if !*a.HasNext {
			return orders
		}
	}
}
