package jushuitan_test

import (
	"net/url"
	"testing"

	"pgregory.net/rapid"

	"juliu/pkg/jushuitan"
)

// The vendor's own example and sandbox credentials, published in its documents.
const (
	vendorSecret = "e9c5ca33fecb404b8e6cdbd0ef4a6d25"
	vendorKey    = "5b53060f23d84ddf9703056e84fa5a2d"
)

func TestSign(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		secret string
		params url.Values
		want   string
	}{
		{
			name:   "the vendor's token example",
			secret: vendorSecret,
			params: url.Values{
				"app_key": {vendorKey}, "timestamp": {"1639128407"}, "grant_type": {"authorization_code"},
				"charset": {"utf-8"}, "code": {"123456"},
			},
			want: "05e3a51e19e0883afd1882ccd309e0b9",
		},
		{
			name:   "the vendor's business example with Chinese text",
			secret: vendorSecret,
			params: url.Values{
				"app_key": {vendorKey}, "access_token": {"d7b01bf0842a4742a9450e21ffd95f60"}, "timestamp": {"1639128407"},
				"version": {"2"}, "charset": {"utf-8"}, "biz": {`{"page_index":"1","page_size":"100","nicks":["老板"]}`},
			},
			want: "395f5a78b446be465ac03a02491296c7",
		},
		{
			name:   "the shortest example",
			secret: "secret",
			params: url.Values{"app_key": {"app"}, "charset": {"utf-8"}, "timestamp": {"100"}},
			want:   "706427ca94e342781ac36d501151cb10",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := jushuitan.Sign(c.secret, c.params); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestSignPartner(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, method, partnerID, token, ts, key, want string }{
		{
			"the published sandbox credentials", "shops.query", "ywv5jGT8ge6Pvlq3FZSPol345asd",
			"181ee8952a88f5a57db52587472c3798", "1540370062", "ywv5jGT8ge6Pvlq3FZSPol2323", "aebf9d0146764d578d9c86e3b7783204",
		},
		{
			"the sales-out method", "orders.out.simple.query", "partner", "token", "1234", "secret",
			"cd9a35314565f0b2928fdbbfbb5ac00b",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := jushuitan.SignPartner(c.method, c.partnerID, c.token, c.ts, c.key); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestSignCoversEveryValueExceptEmptyOnesAndItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		params := url.Values{}
		for key, value := range rapid.MapOf(rapid.StringMatching(`[a-z_]{1,8}`), rapid.String()).Draw(t, "params") {
			params.Set(key, value)
		}
		params.Del("sign")
		want := jushuitan.Sign("secret", params)
		params.Set("sign", "x")
		params.Set("empty", "")
		if got := jushuitan.Sign("secret", params); got != want {
			t.Fatalf("the signature covers sign or an empty value: %s, want %s", got, want)
		}
		params.Set("biz", params.Get("biz")+"x")
		if jushuitan.Sign("secret", params) == want {
			t.Fatal("a changed value keeps its signature")
		}
	})
}
