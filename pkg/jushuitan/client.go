package jushuitan

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"

	"juliu/pkg/secret"
)

// Defaults of [Config], and what the client bounds by itself.
const (
	// DefaultRatePerSecond is the vendor's limit behind code 199.
	DefaultRatePerSecond = 5
	// DefaultRatePerMinute is the vendor's limit behind code 200.
	DefaultRatePerMinute = 100
	// DefaultTimeout is the time one call may take from sending to the last byte.
	DefaultTimeout = 30 * time.Second

	maxBody = 32 << 20 // bytes of an answer after inflation
)

// Config is what a [Client] needs. The zero value of a field is its default, where one is named.
type Config struct {
	// BaseURL is scheme and host, e.g. "https://dev-api.jushuitan.com" for the vendor's sandbox. Default the gateway's production host.
	BaseURL string
	// Gateway is the vendor's gateway. Default OpenAPI.
	Gateway Gateway
	// AppKey is app_key, on the partner gateway partnerid. Required.
	AppKey string
	// AppSecret is app_secret, on the partner gateway partnerkey. Required.
	AppSecret secret.Text
	// AccessToken is access_token, on the partner gateway token. May be empty until InitToken or AccessToken was called.
	AccessToken secret.Text
	// RefreshToken is needed by RefreshToken on the openapi gateway.
	RefreshToken secret.Text
	// RatePerSecond and RatePerMinute bound the calls sent, also while the API would allow more. Defaults 5 and 100, the vendor's limits.
	RatePerSecond, RatePerMinute int
	// Timeout bounds one call from sending to the last byte, not the wait for the budget. Default 30 s.
	Timeout time.Duration
	// Now is the clock that dates the signatures and measures the budget; time.Now in programs, with its monotonic part. Required.
	Now func() time.Time
	// HTTP sends the requests. Default a transport of the client's own: TLS 1.2 and newer, the proxy of the environment.
	HTTP http.RoundTripper
}

// Client calls one merchant's API on one gateway. All its methods are safe for concurrent use and share one budget of calls, for which
// they wait in the lane of their context, see [WithLane], and within it in order of arrival. When the API allows fewer calls than
// configured, the budget finds out how many, and rises again when more are allowed. A Client needs no closing.
type Client struct {
	gateway  Gateway
	base     string
	appKey   string
	secret   secret.Text
	now      func() time.Time
	governor *governor
	http     *resty.Client

	mu      sync.Mutex // guards access and refresh
	access  secret.Text
	refresh secret.Text
}

// New makes a client; it does not call the API. The error lists everything that is wrong with cfg, and no secret.
func New(cfg Config) (*Client, error) {
	if cfg.Gateway == "" {
		cfg.Gateway = OpenAPI
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = cfg.Gateway.host()
	}
	if cfg.RatePerSecond == 0 {
		cfg.RatePerSecond = DefaultRatePerSecond
	}
	if cfg.RatePerMinute == 0 {
		cfg.RatePerMinute = DefaultRatePerMinute
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.HTTP == nil {
		cfg.HTTP = transport()
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("set up the Jushuitan client: %w", err)
	}
	return &Client{
		gateway:  cfg.Gateway,
		base:     strings.TrimRight(cfg.BaseURL, "/"),
		appKey:   cfg.AppKey,
		secret:   cfg.AppSecret,
		now:      cfg.Now,
		governor: newGovernor(cfg.RatePerSecond, cfg.RatePerMinute, cfg.Now),
		http:     httpClient(cfg.HTTP, cfg.Timeout),
		access:   cfg.AccessToken,
		refresh:  cfg.RefreshToken,
	}, nil
}

func (cfg Config) validate() error {
	var wrong []error
	check := func(ok bool, text string) {
		if !ok {
			wrong = append(wrong, errors.New(text))
		}
	}
	check(cfg.Gateway == OpenAPI || cfg.Gateway == Partner, `gateway: want "openapi" or "partner"`)
	base, err := url.Parse(cfg.BaseURL)
	check(err == nil && (base.Scheme == "https" || base.Scheme == "http") && base.Host != "" && base.User == nil &&
		strings.Trim(base.Path, "/") == "" && base.RawQuery == "" && base.Fragment == "",
		"base URL: want scheme and host only, like https://openapi.jushuitan.com")
	check(cfg.AppKey != "", "app key: missing")
	check(!cfg.AppSecret.IsZero(), "app secret: missing")
	check(cfg.RatePerSecond > 0, "rate per second: want 1 or more")
	check(cfg.RatePerMinute > 0, "rate per minute: want 1 or more")
	check(cfg.Timeout > 0, "timeout: want more than 0")
	check(cfg.Now != nil, "clock: missing")
	return errors.Join(wrong...)
}

// Query asks e for one page. It waits for its turn in the budget, signs, sends and unwraps; biz is the endpoint's query, e.g. [SalesOutQuery], and
// is encoded as JSON once, so that the signed bytes are the sent ones. A call refused for its timestamp is sent once more with a fresh
// one. Nothing else is retried.
//
// An error is ctx's own when ctx ended, else an [*Error]; only a biz that is not a JSON object gives another one. A nil error means that
// the answer was received whole and that Page holds every row of it.
func (c *Client) Query(ctx context.Context, e Endpoint, biz any) (Page, error) {
	body, err := encodeBiz(biz)
	if err != nil {
		return Page{}, fmt.Errorf("query %s: encode the query: %w", e.Name, err)
	}
	reply, err := c.call(ctx, e.Name, func(now time.Time) (request, error) { return c.businessRequest(e, body, now) })
	if err != nil {
		return Page{}, err
	}
	return readPage(reply)
}

// String names the client without its secrets, which fmt would otherwise print from the unexported fields.
func (c *Client) String() string { return "Jushuitan client of " + c.base }

// GoString is String, for %#v.
func (c *Client) GoString() string { return c.String() }

func transport() *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     90 * time.Second,
	}
}

// httpClient keeps resty to sending: it gets no cookie jar, no retries, no result decoding and no logger, and follows no redirect.
func httpClient(transport http.RoundTripper, timeout time.Duration) *resty.Client {
	return resty.NewWithClient(&http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).
		SetLogger(silence{}).
		SetHeader("User-Agent", "juliu").
		SetResponseBodyLimit(maxBody)
}

// silence drops what resty would print to standard error by itself.
type silence struct{}

func (silence) Errorf(string, ...any) {}
func (silence) Warnf(string, ...any)  {}
func (silence) Debugf(string, ...any) {}
