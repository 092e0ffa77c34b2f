package jushuitan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Gateway is one of the vendor's two ways to the same data.
type Gateway string

const (
	// OpenAPI is the new gateway, https://openapi.jushuitan.com: form posts signed over all parameters.
	OpenAPI Gateway = "openapi"
	// Partner is the old gateway, https://open.erp321.com/api/open/query.aspx: JSON posts with a signed query string.
	Partner Gateway = "partner"
)

const partnerPath = "/api/open/query.aspx"

func (g Gateway) host() string {
	if g == Partner {
		return "https://open.erp321.com"
	}
	return "https://openapi.jushuitan.com"
}

// Endpoint is one paged query of the API.
type Endpoint struct {
	// Name is this project's name, in errors, e.g. "sales-out".
	Name string
	// Path is the openapi gateway's path.
	Path string
	// Method is the partner gateway's method name.
	Method string
	// MaxSpan is the longest time window of one query.
	MaxSpan time.Duration
	// MaxPageSize is the most rows a page may be asked for.
	MaxPageSize int
}

// request is one signed call.
type request struct {
	url         string
	contentType string
	body        []byte
	hidden      []string // values of this request that no error may show, its tokens too: the client's may be newer by the answer
}

// encodeBiz is the JSON of a query in raw UTF-8; nil is {}.
func encodeBiz(biz any) ([]byte, error) {
	if biz == nil {
		return []byte("{}"), nil
	}
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(biz); err != nil {
		return nil, fmt.Errorf("marshal %T: %w", biz, err)
	}
	body := bytes.TrimSpace(buf.Bytes())
	if body[0] != '{' {
		return nil, errors.New("want a JSON object")
	}
	return body, nil
}

func (c *Client) businessRequest(e Endpoint, biz []byte, now time.Time) (request, error) {
	token := c.accessToken().Reveal()
	if token == "" {
		return request{}, &Error{Gateway: c.gateway, Endpoint: e.Name, Kind: TokenExpired, Msg: "no access token yet"}
	}
	if c.gateway == Partner {
		return c.partnerRequest(e.Method, biz, now), nil
	}
	return c.formRequest(e.Path, url.Values{
		"access_token": {token},
		"version":      {"2"},
		"biz":          {string(biz)},
	}, now), nil
}

// formRequest signs params together with the ones that every openapi call has. All travel in the body: an address may be logged on its
// way, a body is not. None may be empty, because clients differ in whether the signature covers an empty one.
func (c *Client) formRequest(path string, params url.Values, now time.Time) request {
	params.Set("app_key", c.appKey)
	params.Set("timestamp", strconv.FormatInt(now.Unix(), 10))
	params.Set("charset", "utf-8")
	sign := Sign(c.secret.Reveal(), params)
	params.Set("sign", sign)
	return request{
		url:         c.base + path,
		contentType: "application/x-www-form-urlencoded;charset=UTF-8",
		body:        []byte(params.Encode()),
		hidden:      []string{sign, params.Get("code"), params.Get("access_token"), params.Get("refresh_token")},
	}
}

func (c *Client) partnerRequest(method string, biz []byte, now time.Time) request {
	token := c.accessToken().Reveal()
	ts := strconv.FormatInt(now.Unix(), 10)
	sign := SignPartner(method, c.appKey, token, ts, c.secret.Reveal())
	query := url.Values{"method": {method}, "partnerid": {c.appKey}, "token": {token}, "ts": {ts}, "sign": {sign}}
	return request{
		url:         c.base + partnerPath + "?" + query.Encode(),
		contentType: "application/json;charset=UTF-8",
		body:        biz,
		hidden:      []string{sign, token, query.Encode()},
	}
}
