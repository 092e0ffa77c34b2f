package jushuitan_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/jushuitan"
	"juliu/pkg/secret"
)

const (
	appSecret    = "app-secret-99c4cef262f3"
	accessToken  = "access-token-b7e3b1e24e17"
	refreshToken = "refresh-token-8db141b6d724"
	success      = `{"code":0,"msg":"执行成功","issuccess":true,"data":{"datas":[]}}`
)

// gateways are run by every test that both gateways must pass.
func gateways() []jushuitan.Gateway { return []jushuitan.Gateway{jushuitan.OpenAPI, jushuitan.Partner} }

func config(gateway jushuitan.Gateway, baseURL string) jushuitan.Config {
	return jushuitan.Config{
		BaseURL:       baseURL,
		Gateway:       gateway,
		AppKey:        "app-key",
		AppSecret:     secret.New(appSecret),
		AccessToken:   secret.New(accessToken),
		RefreshToken:  secret.New(refreshToken),
		RatePerSecond: 1000,
		RatePerMinute: 1000,
		Timeout:       5 * time.Second,
		Now:           time.Now,
	}
}

// call is what a server saw of one request.
type call struct {
	method, path, contentType string
	query, form               url.Values
	body                      string
}

// recorder answers in turn, the last answer for ever, and keeps what it was asked.
type recorder struct {
	answers []string
	mu      sync.Mutex
	calls   []call
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	form, _ := url.ParseQuery(string(body))
	r.mu.Lock()
	r.calls = append(r.calls, call{
		method: req.Method, path: req.URL.Path, contentType: req.Header.Get("Content-Type"),
		query: req.URL.Query(), form: form, body: string(body),
	})
	answer := r.answers[min(len(r.calls), len(r.answers))-1]
	r.mu.Unlock()
	_, _ = io.WriteString(w, answer)
}

func (r *recorder) seen() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func serve(t *testing.T, gateway jushuitan.Gateway, answers ...string) (*jushuitan.Client, *recorder) {
	t.Helper()
	r := &recorder{answers: answers}
	return connect(t, gateway, r), r
}

func connect(t *testing.T, gateway jushuitan.Gateway, handler http.Handler) *jushuitan.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, config(gateway, server.URL))
}

func newClient(t *testing.T, cfg jushuitan.Config) *jushuitan.Client {
	t.Helper()
	c, err := jushuitan.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// failure asserts that err is an *Error and hands it out.
func failure(t *testing.T, err error) *jushuitan.Error {
	t.Helper()
	e, ok := errors.AsType[*jushuitan.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *jushuitan.Error", err)
	}
	return e
}

func TestQueryOpenAPISignsTheBytesItSends(t *testing.T) {
	t.Parallel()
	c, server := serve(t, jushuitan.OpenAPI, success)
	biz := jushuitan.SalesOutQuery{PageIndex: 1, Status: "Confirmed", SoIDs: []string{"老板 & <3>+%"}}
	if _, err := c.Query(t.Context(), jushuitan.SalesOut(), biz); err != nil {
		t.Fatal(err)
	}
	got := server.seen()[0]
	if got.method != http.MethodPost || got.path != "/open/orders/out/simple/query" || len(got.query) != 0 {
		t.Errorf("got %s %s with query %v", got.method, got.path, got.query)
	}
	if want := "application/x-www-form-urlencoded;charset=UTF-8"; got.contentType != want {
		t.Errorf("content type %s, want %s", got.contentType, want)
	}
	sign := got.form.Get("sign")
	if want := jushuitan.Sign(appSecret, got.form); sign != want {
		t.Errorf("sign %s, want %s", sign, want)
	}
	stamp, err := strconv.ParseInt(got.form.Get("timestamp"), 10, 64)
	if age := time.Since(time.Unix(stamp, 0)); err != nil || age < 0 || age > time.Minute {
		t.Errorf("timestamp %d is %s old", stamp, age)
	}
	got.form.Del("sign")
	got.form.Del("timestamp")
	want := url.Values{
		"app_key": {"app-key"}, "access_token": {accessToken}, "charset": {"utf-8"}, "version": {"2"},
		"biz": {`{"status":"Confirmed","page_index":1,"so_ids":["老板 & <3>+%"]}`},
	}
	if diff := cmp.Diff(want, got.form); diff != "" {
		t.Error(diff)
	}
}

func TestQueryPartnerSignsTheAddressAndSendsTheQueryAsBody(t *testing.T) {
	t.Parallel()
	c, server := serve(t, jushuitan.Partner, success)
	if _, err := c.Query(t.Context(), jushuitan.SalesOut(), jushuitan.SalesOutQuery{SoIDs: []string{"老板"}}); err != nil {
		t.Fatal(err)
	}
	got := server.seen()[0]
	if got.path != "/api/open/query.aspx" || got.body != `{"so_ids":["老板"]}` || got.contentType != "application/json;charset=UTF-8" {
		t.Errorf("got %s with %s as %s", got.path, got.body, got.contentType)
	}
	ts := got.query.Get("ts")
	want := url.Values{
		"method": {"orders.out.simple.query"}, "partnerid": {"app-key"}, "token": {accessToken}, "ts": {ts},
		"sign": {jushuitan.SignPartner("orders.out.simple.query", "app-key", accessToken, ts, appSecret)},
	}
	if diff := cmp.Diff(want, got.query); diff != "" {
		t.Error(diff)
	}
}

func TestQueryRefusesWhatIsNotAnObject(t *testing.T) {
	t.Parallel()
	c, server := serve(t, jushuitan.OpenAPI, success)
	for _, biz := range []any{[]int{1}, "text", 1, func() {}, (*int)(nil)} {
		if _, err := c.Query(t.Context(), jushuitan.SalesOut(), biz); err == nil {
			t.Errorf("%T is sent", biz)
		}
	}
	if _, err := c.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
		t.Error(err)
	}
	if calls := server.seen(); len(calls) != 1 || calls[0].form.Get("biz") != "{}" {
		t.Errorf("got %v, want one call with an empty object", calls)
	}
}

func TestQueryWithoutATokenDoesNotCall(t *testing.T) {
	t.Parallel()
	for _, gateway := range gateways() {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
		t.Cleanup(server.Close)
		cfg := config(gateway, server.URL)
		cfg.AccessToken = secret.Text{}
		_, err := newClient(t, cfg).Query(t.Context(), jushuitan.SalesOut(), nil)
		if e := failure(t, err); e.Kind != jushuitan.TokenExpired {
			t.Errorf("%s: got %v", gateway, e)
		}
	}
}

func TestQueryTriesOnceMoreWithAFreshTimestamp(t *testing.T) {
	t.Parallel()
	refused := `{"code":140,"msg":"无效的timestamp，请求最大时间误差15分钟"}`
	r := &recorder{answers: []string{refused, success}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	cfg := config(jushuitan.OpenAPI, server.URL)
	clock := time.Unix(1_700_000_000, 0)
	cfg.Now = func() time.Time {
		clock = clock.Add(time.Hour)
		return clock
	}
	if _, err := newClient(t, cfg).Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
		t.Fatal(err)
	}
	calls := r.seen()
	if len(calls) != 2 || calls[0].form.Get("timestamp") == calls[1].form.Get("timestamp") {
		t.Errorf("got %d calls, want two with different timestamps", len(calls))
	}
}

func TestNewListsEverythingWrong(t *testing.T) {
	t.Parallel()
	_, err := jushuitan.New(jushuitan.Config{
		BaseURL: "ftp://user:password@host/path?query", Gateway: "new", RatePerSecond: -1, RatePerMinute: -1, Timeout: -1,
		AccessToken: secret.New(accessToken),
	})
	if err == nil {
		t.Fatal("a senseless configuration is accepted")
	}
	for _, part := range []string{"gateway", "base URL", "app key", "app secret", "rate per second", "rate per minute", "timeout", "clock"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not named in: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "password") {
		t.Errorf("a password is shown: %v", err)
	}
}

func TestNewChecksTheBaseURL(t *testing.T) {
	t.Parallel()
	for base, ok := range map[string]bool{
		"": true, "https://dev-api.jushuitan.com": true, "http://127.0.0.1:8080/": true, "http://sandbox:8080": true,
		"dev-api.jushuitan.com": false, "https://": false, "https://h/open": false, "https://h?x=1": false, "https://h#x": false,
		"https://u:p@h": false, "://": false, "https://h/api/open/query.aspx": false,
	} {
		if _, err := jushuitan.New(config(jushuitan.OpenAPI, base)); (err == nil) != ok {
			t.Errorf("%q: got %v", base, err)
		}
	}
}

func TestDefaultsReachTheProductionHosts(t *testing.T) {
	t.Parallel()
	for gateway, want := range map[jushuitan.Gateway]string{
		"":                "openapi.jushuitan.com",
		jushuitan.OpenAPI: "openapi.jushuitan.com",
		jushuitan.Partner: "open.erp321.com",
	} {
		cfg := config(gateway, "")
		cfg.RatePerSecond, cfg.RatePerMinute, cfg.Timeout = 0, 0, 0
		var got *url.URL
		cfg.HTTP = roundTrip(func(req *http.Request) (*http.Response, error) {
			got = req.URL
			return respond(success), nil
		})
		if _, err := newClient(t, cfg).Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
			t.Fatal(err)
		}
		if got.Scheme != "https" || got.Host != want {
			t.Errorf("%q: got %s", gateway, got)
		}
	}
}

func TestClientShowsNoSecretToFmt(t *testing.T) {
	t.Parallel()
	cfg := config(jushuitan.OpenAPI, "http://127.0.0.1")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, value := range []any{cfg, newClient(t, cfg), jushuitan.Token{Access: cfg.AccessToken, Refresh: cfg.RefreshToken}} {
			assertNoSecret(t, fmt.Sprintf(verb, value))
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func respond(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func assertNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, value := range []string{appSecret, accessToken, refreshToken} {
		if strings.Contains(text, value) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}
