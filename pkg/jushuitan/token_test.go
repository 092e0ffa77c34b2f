package jushuitan_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/jushuitan"
	"juliu/pkg/secret"
)

const granted = `{"code":0,"msg":"执行成功","data":{"access_token":"new-access","refresh_token":"new-refresh","expires_in":15552000,"scope":"all"}}`

func TestTokenCallsAreSignedForms(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		call func(context.Context, *jushuitan.Client) (jushuitan.Token, error)
		path string
		own  url.Values
	}{
		"init token": {
			func(ctx context.Context, c *jushuitan.Client) (jushuitan.Token, error) {
				return c.InitToken(ctx, "a1b2c3")
			},
			"/openWeb/auth/getInitToken",
			url.Values{"grant_type": {"authorization_code"}, "code": {"a1b2c3"}},
		},
		"access token": {
			func(ctx context.Context, c *jushuitan.Client) (jushuitan.Token, error) {
				return c.AccessToken(ctx, "a1b2c3")
			},
			"/openWeb/auth/accessToken",
			url.Values{"grant_type": {"authorization_code"}, "code": {"a1b2c3"}},
		},
		"refresh token": {
			func(ctx context.Context, c *jushuitan.Client) (jushuitan.Token, error) { return c.RefreshToken(ctx) },
			"/openWeb/auth/refreshToken",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}, "scope": {"all"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := serve(t, jushuitan.OpenAPI, granted, success, granted)
			token, err := c.call(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if token.Access.Reveal() != "new-access" || token.Refresh.Reveal() != "new-refresh" ||
				token.ExpiresIn != 180*24*time.Hour || token.Scope != "all" {
				t.Errorf("got %+v", token)
			}
			if _, err := client.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
				t.Error(err)
			}
			if _, err := client.RefreshToken(t.Context()); err != nil {
				t.Error(err)
			}

			calls := server.seen()
			got := calls[0]
			if want := jushuitan.Sign(appSecret, got.form); got.path != c.path || len(got.query) != 0 || got.form.Get("sign") != want {
				t.Errorf("got %s, query %v, sign %s, want %s", got.path, got.query, got.form.Get("sign"), want)
			}
			want := url.Values{"app_key": {"app-key"}, "charset": {"utf-8"}, "timestamp": got.form["timestamp"], "sign": got.form["sign"]}
			maps.Copy(want, c.own)
			if diff := cmp.Diff(want, got.form); diff != "" {
				t.Error(diff)
			}
			if used := calls[1].form.Get("access_token"); used != "new-access" {
				t.Errorf("the next query uses %s", used)
			}
			if used := calls[2].form.Get("refresh_token"); used != "new-refresh" {
				t.Errorf("the next refresh uses %s", used)
			}
		})
	}
}

func TestRefreshRefusedKeepsTheToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		kind   jushuitan.Kind
	}{
		"an expired refresh token": {`{"code":100,"msg":"refresh_token无效或已过期","data":{"access_token":"x"}}`, jushuitan.TokenExpired},
		"an app that may not":      {`{"code":150,"msg":"服务商应用禁止刷新access_token"}`, jushuitan.RefreshForbidden},
		"an answer without one":    {`{"code":0,"data":{"refresh_token":"x"}}`, jushuitan.Unknown},
		"an answer of null":        {`{"code":0,"data":null}`, jushuitan.Unknown},
		"a page":                   {`<html>`, jushuitan.NotJSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := serve(t, jushuitan.OpenAPI, c.answer, success)
			_, err := client.RefreshToken(t.Context())
			if e := failure(t, err); e.Kind != c.kind || e.Endpoint != "refresh-token" {
				t.Errorf("got %v", e)
			}
			assertClean(t, err)
			if _, err := client.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
				t.Error(err)
			}
			if used := server.seen()[1].form.Get("access_token"); used != accessToken {
				t.Errorf("the next query uses %q", used)
			}
		})
	}
}

func TestRefreshOnPartnerExtendsTheTermOfTheSameToken(t *testing.T) {
	t.Parallel()
	client, server := serve(t, jushuitan.Partner, `{"code":0,"issuccess":true,"msg":"","expires_in":"3600.0"}`)
	token, err := client.RefreshToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token.Access.Reveal() != accessToken || token.ExpiresIn != time.Hour {
		t.Errorf("got %s for %s", token.Access.Reveal(), token.ExpiresIn)
	}
	if got := server.seen()[0]; got.query.Get("method") != "refresh.token" || got.body != "{}" {
		t.Errorf("got %s with %s", got.query.Get("method"), got.body)
	}
}

func TestTokenCallsThatCannotWorkAreNotMade(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	t.Cleanup(server.Close)
	partner := newClient(t, config(jushuitan.Partner, server.URL))
	cfg := config(jushuitan.OpenAPI, server.URL)
	cfg.RefreshToken = secret.Text{}
	openapi := newClient(t, cfg)
	for name, call := range map[string]func() (jushuitan.Token, error){
		"init on partner":         func() (jushuitan.Token, error) { return partner.InitToken(t.Context(), "a1b2c3") },
		"access on partner":       func() (jushuitan.Token, error) { return partner.AccessToken(t.Context(), "a1b2c3") },
		"init without a code":     func() (jushuitan.Token, error) { return openapi.InitToken(t.Context(), "") },
		"refresh without a token": func() (jushuitan.Token, error) { return openapi.RefreshToken(t.Context()) },
	} {
		if _, err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAnsweredTokensAreMaskedToo(t *testing.T) {
	t.Parallel()
	client, _ := serve(t, jushuitan.OpenAPI, granted, `{"code":100,"msg":"无效的access_token: new-access"}`)
	if _, err := client.RefreshToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := client.Query(t.Context(), jushuitan.SalesOut(), nil)
	if e := failure(t, err); e.Msg != "无效的access_token: ***" {
		t.Error(e)
	}
}

func TestRefreshWhileQueriesRun(t *testing.T) {
	t.Parallel()
	client := connect(t, jushuitan.OpenAPI, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := success
		if r.URL.Path == "/openWeb/auth/refreshToken" {
			answer = granted
		}
		write(w, http.StatusOK, "application/json", answer)
	}))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 10 {
				if _, err := client.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
					t.Error(err)
				}
			}
		})
		wait.Go(func() {
			for range 10 {
				if _, err := client.RefreshToken(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func TestAdoptedTokensAreUsedFromThenOn(t *testing.T) {
	t.Parallel()
	client, server := serve(t, jushuitan.OpenAPI, success, granted)
	client.Adopt(jushuitan.Token{Access: secret.New("stored-access")})
	if _, err := client.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RefreshToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.Adopt(jushuitan.Token{Refresh: secret.New("stored-refresh")})
	if _, err := client.RefreshToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Query(t.Context(), jushuitan.SalesOut(), nil); err != nil {
		t.Fatal(err)
	}
	calls := server.seen()
	for i, want := range []struct{ name, value string }{
		{"access_token", "stored-access"}, {"refresh_token", refreshToken}, {"refresh_token", "stored-refresh"}, {"access_token", "new-access"},
	} {
		if used := calls[i].form.Get(want.name); used != want.value {
			t.Errorf("call %d uses %s %q, want %q", i, want.name, used, want.value)
		}
	}
}

func TestATokenThatWasReplacedWhileItsCallTravelledIsMasked(t *testing.T) {
	t.Parallel()
	for _, gateway := range gateways() {
		t.Run(string(gateway), func(t *testing.T) {
			t.Parallel()
			var client *jushuitan.Client
			client = connect(t, gateway, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				token := refreshToken
				if r.URL.Path != "/openWeb/auth/refreshToken" {
					token = accessToken
				}
				client.Adopt(jushuitan.Token{Access: secret.New("newer-access"), Refresh: secret.New("newer-refresh")})
				write(w, http.StatusOK, "application/json", `{"code":100,"msg":"expired: `+token+`"}`)
			}))
			_, err := client.Query(t.Context(), jushuitan.SalesOut(), nil)
			assertClean(t, err)
			client.Adopt(jushuitan.Token{Access: secret.New(accessToken), Refresh: secret.New(refreshToken)})
			_, err = client.RefreshToken(t.Context())
			assertClean(t, err)
		})
	}
}
