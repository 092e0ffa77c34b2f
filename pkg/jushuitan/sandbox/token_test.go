package sandbox_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"juliu/pkg/jushuitan/sandbox"
)

type grant struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Left    int    `json:"expires_in"`
	Scope   string `json:"scope"`
}

// tokens calls a token route with the parameters that it needs, as changed.
func (c caller) tokens(t *testing.T, route string, change map[string]string) (reply, grant) {
	t.Helper()
	a := c.send(t, c.tokenRequest(route, change))
	var g grant
	if a.Code == 0 {
		if err := json.Unmarshal(a.Data, &g); err != nil {
			t.Fatalf("data: %v", err)
		}
	}
	return a, g
}

func (c caller) tokenRequest(route string, change map[string]string) request {
	form := url.Values{
		"app_key": {sandbox.DefaultAppKey}, "timestamp": {strconv.FormatInt(c.clock.Now().Unix(), 10)}, "charset": {"utf-8"},
	}
	if route == "refreshToken" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", sandbox.DefaultRefreshToken)
		form.Set("scope", "all")
	} else {
		form.Set("grant_type", "authorization_code")
		form.Set("code", "a1b2c3")
	}
	for name, value := range change {
		form.Set(name, value)
	}
	r := c.request("")
	r.path, r.values = "/openWeb/auth/"+route, form
	return r
}

const month = 30 * 24 * time.Hour

func TestRefreshKeepsTheValueAndRenewsTheTerm(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	c.clock.add(29 * 24 * time.Hour)
	a, g := c.tokens(t, "refreshToken", nil)
	want := grant{sandbox.DefaultAccessToken, sandbox.DefaultRefreshToken, int(month.Seconds()), "all"}
	if a.Code != 0 || g != want {
		t.Fatalf("code %d, grant of %d s; want the same values for %d s", a.Code, g.Left, want.Left)
	}
	c.clock.add(29 * 24 * time.Hour)
	if a = c.query(t, c.day("")); a.Code != 0 {
		t.Errorf("after the first term: code %d %q", a.Code, a.Msg)
	}
}

func TestATokenDiesInMidRun(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.TokenTTL = time.Hour })
	c.clock.add(time.Hour - time.Second)
	if a := c.query(t, c.day("")); a.Code != 0 {
		t.Fatalf("one second before: code %d", a.Code)
	}
	c.clock.add(time.Second)
	for _, c.partner = range []bool{false, true} {
		if a := c.query(t, c.day("")); a.Code != 100 {
			t.Errorf("partner %v: code %d, want 100", c.partner, a.Code)
		}
	}
	c.partner = false
	if a, _ := c.tokens(t, "refreshToken", nil); a.Code == 0 || !strings.Contains(a.Msg, "refresh_token无效或已过期") {
		t.Errorf("refresh of a dead token: code %d %q", a.Code, a.Msg)
	}
	_, g := c.tokens(t, "getInitToken", nil)
	if g.Access == sandbox.DefaultAccessToken || g.Access == "" || g.Refresh == sandbox.DefaultRefreshToken || g.Left != 3600 {
		t.Fatalf("getInitToken gave no fresh grant")
	}
	r := c.request(c.day(""))
	if a := c.send(t, r); a.Code != 100 {
		t.Errorf("the old value: code %d, want 100", a.Code)
	}
	r = c.request(c.day(""))
	r.values.Set("access_token", g.Access)
	if a := c.send(t, r); a.Code != 0 {
		t.Errorf("the fresh value: code %d %q", a.Code, a.Msg)
	}
	c.clock.add(time.Minute)
	if _, again := c.tokens(t, "accessToken", nil); again.Access != g.Access || again.Left != 3600 {
		t.Errorf("a living token did not keep its value for a new term")
	}
}

func TestThePartnerGatewayRefreshesByMethod(t *testing.T) {
	t.Parallel()
	refresh := func(c caller) reply {
		c.partner = true
		r := c.request("{}")
		r.values.Set("method", "refresh.token")
		return c.send(t, r)
	}
	c := newCaller(t, nil)
	c.clock.add(month - time.Second)
	if a := refresh(c); a.raw != `{"code":0,"issuccess":true,"msg":"执行成功","expires_in":2592000}` {
		t.Fatalf("answer %s", a.raw)
	}
	c.clock.add(month - time.Second)
	if a := c.query(t, c.day("")); a.Code != 0 {
		t.Errorf("in the second term: code %d", a.Code)
	}
	c.clock.add(time.Second)
	if a := refresh(c); a.Code != 100 {
		t.Errorf("after it: code %d, want 100", a.Code)
	}
	if a := refresh(newCaller(t, func(cfg *sandbox.Config) { cfg.ISV = true })); a.Code != 150 {
		t.Errorf("service provider: code %d, want 150", a.Code)
	}
}

func TestTokenRoutesRefuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		route  string
		config func(*sandbox.Config)
		change map[string]string
		want   int
	}{
		"a refresh by a service provider":      {"refreshToken", func(c *sandbox.Config) { c.ISV = true }, nil, 150},
		"an early refresh, where it is early":  {"refreshToken", func(c *sandbox.Config) { c.RefreshLastWeekOnly = true }, nil, 130},
		"an early refresh, where it is fine":   {"refreshToken", nil, nil, 0},
		"a refresh in the last week":           {"refreshToken", func(c *sandbox.Config) { c.RefreshLastWeekOnly, c.TokenTTL = true, 7*24*time.Hour }, nil, 0},
		"another refresh token":                {"refreshToken", nil, map[string]string{"refresh_token": "x"}, 100},
		"another scope":                        {"refreshToken", nil, map[string]string{"scope": "some"}, 130},
		"no scope":                             {"refreshToken", nil, map[string]string{"scope": ""}, 10015},
		"a refresh with the wrong grant":       {"refreshToken", nil, map[string]string{"grant_type": "authorization_code"}, 130},
		"a first token with the wrong grant":   {"getInitToken", nil, map[string]string{"grant_type": "refresh_token"}, 130},
		"a first token without code":           {"getInitToken", nil, map[string]string{"code": ""}, 10015},
		"an authorised token without code":     {"accessToken", nil, map[string]string{"code": ""}, 10015},
		"another application":                  {"accessToken", nil, map[string]string{"app_key": "x"}, 10},
		"a clock that is off":                  {"getInitToken", nil, map[string]string{"timestamp": "1"}, 140},
		"a first token as it should be":        {"getInitToken", nil, nil, 0},
		"an authorised token as it should be":  {"accessToken", nil, nil, 0},
		"a route of that folder nobody knows":  {"token", nil, nil, 190},
		"a first token for a service provider": {"accessToken", func(c *sandbox.Config) { c.ISV = true }, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := newCaller(t, c.config)
			if a, _ := call.tokens(t, c.route, c.change); a.Code != c.want {
				t.Errorf("code %d %q, want %d", a.Code, a.Msg, c.want)
			}
		})
	}
}

func TestARefreshMayGiveNewValuesAndKillTheOldOnes(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.RotateTokens = true })
	a, g := c.tokens(t, "refreshToken", nil)
	if a.Code != 0 || g.Access == sandbox.DefaultAccessToken || g.Refresh == sandbox.DefaultRefreshToken {
		t.Fatalf("code %d, want new values", a.Code)
	}
	if a := c.query(t, c.day("")); a.Code != 100 {
		t.Errorf("the old access token: code %d, want 100", a.Code)
	}
	if a, _ := c.tokens(t, "refreshToken", nil); a.Code != 100 {
		t.Errorf("the old refresh token: code %d, want 100", a.Code)
	}
	r := c.request(c.day(""))
	r.values.Set("access_token", g.Access)
	if a := c.send(t, r); a.Code != 0 {
		t.Errorf("the new access token: code %d", a.Code)
	}
	if a, again := c.tokens(t, "refreshToken", map[string]string{"refresh_token": g.Refresh}); a.Code != 0 || again.Access == g.Access {
		t.Errorf("the new refresh token: code %d, want once more new values", a.Code)
	}
}

func TestARevokedTokenIsDeadUntilItIsRefreshed(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	c.RevokeToken()
	for _, c.partner = range []bool{false, true} {
		if a := c.query(t, c.day("")); a.Code != 100 {
			t.Errorf("partner %v: code %d, want 100", c.partner, a.Code)
		}
	}
	c.partner = false
	if a, g := c.tokens(t, "refreshToken", nil); a.Code != 0 || g.Access != sandbox.DefaultAccessToken {
		t.Fatalf("refresh: code %d, want the same value", a.Code)
	}
	if a := c.query(t, c.day("")); a.Code != 0 {
		t.Errorf("after the refresh: code %d", a.Code)
	}
	c.RevokeToken()
	if a, g := c.tokens(t, "getInitToken", nil); a.Code != 0 || g.Access == sandbox.DefaultAccessToken {
		t.Errorf("first token after the end of the old one: code %d, want a new value", a.Code)
	}
}

func TestARefreshIsCarriedOutAlthoughItsAnswerIsLostOrStale(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.LoseRefreshes, cfg.StaleRefreshes = 1, 1 })
	c.clock.add(20 * 24 * time.Hour)
	if answer := c.raw(t, c.tokenRequest("refreshToken", nil)); answer != "" {
		t.Fatalf("answer %s, want none", answer)
	}
	c.clock.add(20 * 24 * time.Hour) // past the first term
	if a := c.query(t, c.day("")); a.Code != 0 {
		t.Errorf("after the lost answer: code %d", a.Code)
	}
	if _, g := c.tokens(t, "refreshToken", nil); g.Left != int((month - 20*24*time.Hour).Seconds()) {
		t.Errorf("the stale answer: %d s left, want those before the refresh", g.Left)
	}
	if _, g := c.tokens(t, "refreshToken", nil); g.Left != int(month.Seconds()) {
		t.Errorf("the third answer: %d s left, want a whole term", g.Left)
	}
	if calls := c.Ledger().Calls(); calls[sandbox.Call{Route: "/openWeb/auth/refreshToken"}] != 3 {
		t.Errorf("calls %v, want 3 refreshes", calls)
	}
}
