package jushuitan

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"juliu/pkg/secret"
)

// Token is the answer of a token call.
type Token struct {
	// Access goes with every query.
	Access secret.Text
	// Refresh goes with the next RefreshToken.
	Refresh secret.Text
	// ExpiresIn is how long Access is still good for; 0 when unsaid. Obey it: the documents name terms from a day to a year.
	ExpiresIn time.Duration
	// Scope is "all" so far.
	Scope string
}

// InitToken gets the token of a merchant's own app; code is any six characters. It takes a call of the budget; errors are those of
// [Client.Query]. After a nil error the client uses the token. Only the openapi gateway has this call.
//
// Source: the vendor's document 2135, /openWeb/auth/getInitToken.
func (c *Client) InitToken(ctx context.Context, code string) (Token, error) {
	return c.authorise(ctx, "init-token", "/openWeb/auth/getInitToken", code)
}

// AccessToken exchanges the code that the vendor's authorisation page handed to an ISV app. Otherwise it is like [Client.InitToken].
//
// Source: the vendor's document 2135, /openWeb/auth/accessToken.
func (c *Client) AccessToken(ctx context.Context, code string) (Token, error) {
	return c.authorise(ctx, "access-token", "/openWeb/auth/accessToken", code)
}

// RefreshToken extends the token's term; the API answers the same value or a new one. It takes a call of the budget; errors are those
// of [Client.Query], [RefreshForbidden] among them. After a nil error the client uses the answered tokens; the caller keeps them too,
// because the configured ones may be dead by the next start. The API may take a refresh only in the last days of the term.
//
// Source: the vendor's document 2135, /openWeb/auth/refreshToken; on the partner gateway method refresh.token.
func (c *Client) RefreshToken(ctx context.Context) (Token, error) {
	const name = "refresh-token"
	if c.gateway == Partner {
		return c.obtain(ctx, name, func(now time.Time) (request, error) {
			return c.businessRequest(Endpoint{Name: name, Method: "refresh.token"}, []byte("{}"), now)
		})
	}
	c.mu.Lock()
	refresh := c.refresh
	c.mu.Unlock()
	if refresh.IsZero() {
		return Token{}, &Error{Gateway: c.gateway, Endpoint: name, Kind: TokenExpired, Msg: "no refresh token set"}
	}
	return c.obtain(ctx, name, func(now time.Time) (request, error) {
		return c.formRequest("/openWeb/auth/refreshToken", url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {refresh.Reveal()},
			"scope":         {"all"},
		}, now), nil
	})
}

// Adopt makes the client use these tokens from now on, e.g. the ones that another process has refreshed. A zero one leaves that token as it is.
func (c *Client) Adopt(t Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.Access.IsZero() {
		c.access = t.Access
	}
	if !t.Refresh.IsZero() {
		c.refresh = t.Refresh
	}
}

func (c *Client) authorise(ctx context.Context, name, path, code string) (Token, error) {
	if c.gateway == Partner {
		return Token{}, fmt.Errorf("query %s: the partner gateway has no such call: set the token that the platform shows", name)
	}
	if code == "" {
		return Token{}, errors.New("query " + name + ": code: missing")
	}
	return c.obtain(ctx, name, func(now time.Time) (request, error) {
		return c.formRequest(path, url.Values{"grant_type": {"authorization_code"}, "code": {code}}, now), nil
	})
}

// obtain makes a token call, on its own lane, and adopts its answer. What the answer leaves out stays as it is, which only a refresh may do.
func (c *Client) obtain(ctx context.Context, name string, build builder) (Token, error) {
	reply, err := c.call(WithLane(ctx, Tokens), name, build)
	if err != nil {
		return Token{}, err
	}
	access, refresh := scalar(reply.data["access_token"]), scalar(reply.data["refresh_token"])
	c.mu.Lock()
	defer c.mu.Unlock()
	if access == "" && c.gateway == OpenAPI {
		return Token{}, reply.refuse(Unknown, "no access_token in the answer")
	}
	if access != "" {
		c.access = secret.New(access)
	}
	if refresh != "" {
		c.refresh = secret.New(refresh)
	}
	return Token{
		Access:    c.access,
		Refresh:   c.refresh,
		ExpiresIn: seconds(scalar(reply.data["expires_in"])),
		Scope:     scalar(reply.data["scope"]),
	}, nil
}

func (c *Client) accessToken() secret.Text {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.access
}

// secrets are the values that no error may show.
func (c *Client) secrets() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []string{c.secret.Reveal(), c.access.Reveal(), c.refresh.Reveal()}
}
