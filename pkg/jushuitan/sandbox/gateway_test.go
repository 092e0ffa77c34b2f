package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"juliu/pkg/jushuitan/sandbox"
)

func TestSignatureMatchesThePublishedVectors(t *testing.T) {
	t.Parallel()
	const secret = "e9c5ca33fecb404b8e6cdbd0ef4a6d25"
	for name, c := range map[string]struct {
		secret string
		form   url.Values
		want   string
	}{
		"V1 token call": {secret, url.Values{
			"app_key": {"5b53060f23d84ddf9703056e84fa5a2d"}, "timestamp": {"1639128407"},
			"grant_type": {"authorization_code"}, "charset": {"utf-8"}, "code": {"123456"}, "sign": {"ignored"},
		}, "05e3a51e19e0883afd1882ccd309e0b9"},
		"V2 business call with Chinese in biz": {secret, url.Values{
			"app_key": {"5b53060f23d84ddf9703056e84fa5a2d"}, "access_token": {"d7b01bf0842a4742a9450e21ffd95f60"},
			"timestamp": {"1639128407"}, "version": {"2"}, "charset": {"utf-8"}, "empty": {""},
			"biz": {`{"page_index":"1","page_size":"100","nicks":["老板"]}`},
		}, "395f5a78b446be465ac03a02491296c7"},
		"V3 shortest": {
			"secret",
			url.Values{"app_key": {"app"}, "charset": {"utf-8"}, "timestamp": {"100"}},
			"706427ca94e342781ac36d501151cb10",
		},
	} {
		if got := sandbox.SignForm(c.secret, c.form); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	v4 := sandbox.SignPartner("shops.query", "ywv5jGT8ge6Pvlq3FZSPol345asd", "181ee8952a88f5a57db52587472c3798", "1540370062",
		"ywv5jGT8ge6Pvlq3FZSPol2323")
	if want := "aebf9d0146764d578d9c86e3b7783204"; v4 != want {
		t.Errorf("V4: %s, want %s", v4, want)
	}
	if got, want := sandbox.SignPartner("orders.out.simple.query", "partner", "token", "1234", "secret"),
		"cd9a35314565f0b2928fdbbfbb5ac00b"; got != want {
		t.Errorf("V5: %s, want %s", got, want)
	}
}

// TestChecksComeInOrder breaks a call at one check and at every later one: the code must be that of the first.
func TestChecksComeInOrder(t *testing.T) {
	t.Parallel()
	stamp := map[bool]string{false: "timestamp", true: "ts"}
	token := map[bool]string{false: "access_token", true: "token"}
	checks := []struct {
		name             string
		openapi, partner int
		spoil            func(*request)
		broken           func(*sandbox.Config)
	}{
		{"a public parameter is missing", 10015, 130, func(r *request) { r.values.Del(token[r.partner]) }, nil},
		{"the clock is off by 16 minutes", 140, 180, func(r *request) {
			r.values.Set(stamp[r.partner], strconv.FormatInt(start().Add(16*time.Minute).Unix(), 10))
		}, nil},
		{"the signature is wrong", 10, 120, func(r *request) { r.wrongSign = true }, nil},
		{"the token is unknown", 100, 100, func(r *request) {
			if r.values.Has(token[r.partner]) {
				r.values.Set(token[r.partner], "ffffffffffffffffffffffffffffffff")
			}
		}, nil},
		{"the address is not listed", 110, 110, nil, func(c *sandbox.Config) { c.AllowedIPs = []string{"198.51.100.1"} }},
		{"the interface is not granted", 190, 190, nil, func(c *sandbox.Config) { c.Denied = true }},
		{"the second's calls are used up", 199, 199, nil, func(c *sandbox.Config) { c.RatePerSecond = 1 }},
		{"biz is no object", 130, 130, func(r *request) { r.set("[1]") }, nil},
		{"a business rule is broken", 130, 140, func(r *request) {
			if !strings.HasPrefix(r.body, "[") {
				r.set(`{"page_index":0,` + r.body[1:])
			}
		}, nil},
		{"the shop does not exist", 170, 170, func(r *request) {
			if !strings.HasPrefix(r.body, "[") {
				r.set(`{"shop_id":5,` + r.body[1:])
			}
		}, nil},
	}
	for _, old := range []bool{false, true} {
		for first, check := range checks {
			t.Run(map[bool]string{false: "openapi: ", true: "partner: "}[old]+check.name, func(t *testing.T) {
				t.Parallel()
				c := newCaller(t, func(cfg *sandbox.Config) {
					for _, later := range checks[first:] {
						if later.broken != nil {
							later.broken(cfg)
						}
					}
				})
				c.partner = old
				if first == 6 {
					c.query(t, c.day("")) // The only call that the second allows.
				}
				r := c.request(c.day(""))
				for _, later := range checks[first:] {
					if later.spoil != nil {
						later.spoil(&r)
					}
				}
				if first > 6 {
					c.clock.add(time.Minute)
				}
				want := map[bool]int{false: check.openapi, true: check.partner}[old]
				if a := c.send(t, r); a.Code != want {
					t.Errorf("code %d %q, want %d", a.Code, a.Msg, want)
				}
			})
		}
	}
}

func (r *request) set(biz string) {
	r.body = biz
	if !r.partner {
		r.values.Set("biz", biz)
	}
}

func TestPublicParameters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		partner bool
		change  func(*request)
		want    int
	}{
		"openapi: as it should be":                 {false, func(*request) {}, 0},
		"openapi: 14 minutes late":                 {false, func(r *request) { r.stamp(14 * time.Minute) }, 0},
		"openapi: 14 minutes early":                {false, func(r *request) { r.stamp(-14 * time.Minute) }, 0},
		"openapi: 16 minutes early":                {false, func(r *request) { r.stamp(-16 * time.Minute) }, 140},
		"openapi: timestamp in words":              {false, func(r *request) { r.values.Set("timestamp", "now") }, 140},
		"openapi: another application":             {false, func(r *request) { r.values.Set("app_key", "other") }, 10},
		"openapi: signed with another secret":      {false, func(r *request) { r.key = "other" }, 10},
		"openapi: no biz":                          {false, func(r *request) { r.values.Del("biz") }, 130},
		"openapi: biz is null":                     {false, func(r *request) { r.set("null") }, 130},
		"openapi: biz is cut":                      {false, func(r *request) { r.set(`{"page_index":`) }, 130},
		"openapi: no charset":                      {false, func(r *request) { r.values.Del("charset") }, 10015},
		"openapi: parameters in the query string":  {false, func(r *request) { r.path += "?" + r.values.Encode(); r.values = url.Values{} }, 10015},
		"partner: as it should be":                 {true, func(*request) {}, 0},
		"partner: 9 minutes late":                  {true, func(r *request) { r.stamp(9 * time.Minute) }, 0},
		"partner: 11 minutes late":                 {true, func(r *request) { r.stamp(11 * time.Minute) }, 180},
		"partner: another partner":                 {true, func(r *request) { r.values.Set("partnerid", "other") }, 120},
		"partner: signed with another key":         {true, func(r *request) { r.key = "other" }, 120},
		"partner: another method":                  {true, func(r *request) { r.values.Set("method", "shops.query") }, 190},
		"partner: no method":                       {true, func(r *request) { r.values.Del("method") }, 130},
		"partner: no body":                         {true, func(r *request) { r.body = "" }, 130},
		"openapi: a path that nobody knows":        {false, func(r *request) { r.path = "/open/shops/query" }, 190},
		"openapi: a body that is too big":          {false, func(r *request) { r.values.Set("x", strings.Repeat("x", 2<<20)) }, 10015},
		"partner: a body that is too big":          {true, func(r *request) { r.body = strings.Repeat(" ", 2<<20) + r.body }, 130},
		"openapi: an empty parameter is unsigned":  {false, func(r *request) { r.values.Set("extra", "") }, 0},
		"openapi: a further parameter is signed":   {false, func(r *request) { r.values.Set("extra", "额外") }, 0},
		"openapi: a token that was never given":    {false, func(r *request) { r.values.Set("access_token", "x") }, 100},
		"partner: a token that was never given":    {true, func(r *request) { r.values.Set("token", "x") }, 100},
		"partner: numbers and lists in the body":   {true, func(r *request) { r.body = `{"io_ids":[100001]}` }, 0},
		"openapi: a list of numbers in place of {": {false, func(r *request) { r.set(`[]`) }, 130},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCaller(t, nil)
			call.partner = c.partner
			r := call.request(call.day(""))
			c.change(&r)
			if a := call.send(t, r); a.Code != c.want {
				t.Errorf("code %d %q, want %d", a.Code, a.Msg, c.want)
			}
		})
	}
}

func (r *request) stamp(off time.Duration) {
	name := "timestamp"
	if r.partner {
		name = "ts"
	}
	r.values.Set(name, strconv.FormatInt(start().Add(off).Unix(), 10))
}

func TestOnlyPostIsAnswered(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	for _, path := range []string{"/open/orders/out/simple/query", "/api/open/query.aspx", "/openWeb/auth/refreshToken", "/openWeb/auth/getInitToken"} {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d, want 405", path, w.Code)
		}
	}
}

func TestRefusedAddressIsNamed(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.AllowedIPs = []string{"198.51.100.1", "2001:db8::1"} })
	if a := c.query(t, c.day("")); a.Code != 110 || !strings.HasSuffix(a.Msg, "：192.0.2.7") {
		t.Errorf("code %d %q, want 110 with the address", a.Code, a.Msg)
	}
	r := c.request(c.day(""))
	r.ip = "[2001:db8::1]"
	if a := c.send(t, r); a.Code != 0 {
		t.Errorf("listed address: code %d %q", a.Code, a.Msg)
	}
}

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	const nothing = `{"io_ids":[1]}`
	for name, c := range map[string]struct {
		partner bool
		empty   sandbox.EmptyPage
		biz     string
		want    string
	}{
		"openapi page": {false, sandbox.EmptyArray, nothing, `{"code":0,"msg":"执行成功","data":{"page_index":1,"page_size":30,"data_count":0,"page_count":0,"has_next":false,"datas":[]}}`},
		"partner page": {true, sandbox.EmptyArray, nothing, `{"code":0,"issuccess":true,"msg":"执行成功","page_index":1,"page_size":30,"data_count":0,"page_count":0,"has_next":false,"datas":[]}`},
		"no rows as null": {
			false, sandbox.EmptyNull, `{"is_get_total":false,"io_ids":["1"]}`,
			`{"code":0,"msg":"执行成功","data":{"page_index":1,"page_size":30,"has_next":false,"datas":null}}`,
		},
		"no rows as nothing": {
			true, sandbox.EmptyAbsent, `{"is_get_total":"false","io_ids":["1"]}`,
			`{"code":0,"issuccess":true,"msg":"执行成功","page_index":1,"page_size":30,"has_next":false}`,
		},
		"openapi failure": {false, sandbox.EmptyArray, `{"shop_id":5,"io_ids":[1]}`, `{"code":170,"msg":"店铺编号不存在","data":null}`},
		"partner failure": {true, sandbox.EmptyArray, `{"shop_id":5,"io_ids":[1]}`, `{"code":170,"issuccess":false,"msg":"店铺编号不存在"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCaller(t, func(cfg *sandbox.Config) { cfg.Empty = c.empty })
			call.partner = c.partner
			if a := call.query(t, c.biz); a.raw != c.want {
				t.Errorf("got  %s\nwant %s", a.raw, c.want)
			}
		})
	}
}

func TestDateFollowsTheClockOfTheERP(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults.ClockSkew = -20 * time.Minute })
	a := c.query(t, c.day(""))
	if want := "Mon, 02 Mar 2026 01:40:00 GMT"; a.Code != 140 || a.header.Get("Date") != want {
		t.Errorf("code %d, Date %q; want 140, %q", a.Code, a.header.Get("Date"), want)
	}
	c.SetFaults(sandbox.Faults{})
	if a = c.query(t, c.day("")); a.Code != 0 || a.header.Get("Date") != "Mon, 02 Mar 2026 02:00:00 GMT" {
		t.Errorf("without skew: code %d, Date %q", a.Code, a.header.Get("Date"))
	}
}
