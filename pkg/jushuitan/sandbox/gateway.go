package sandbox

import (
	"crypto/md5" //nolint:gosec // The vendor's signature is MD5.
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	methodQuery   = "orders.out.simple.query"
	methodRefresh = "refresh.token"
	routeOpenAPI  = "/open/orders/out/simple/query"
	routePartner  = "/api/open/query.aspx"
	maxBody       = 1 << 20
)

// call is a business call as far as the checks in front of the query need it.
type call struct {
	missing        string // the first public parameter that is absent
	timestamp      string
	sign, rightful string // rightful is "" for an application that does not exist
	token, method  string
	caller         string
	body           []byte
}

func (s *Sandbox) mount() *http.ServeMux {
	routes := http.NewServeMux()
	routes.HandleFunc(routeOpenAPI, s.serveOpenAPI)
	routes.HandleFunc(routePartner, s.servePartner)
	routes.HandleFunc("/openWeb/auth/getInitToken", s.issue)
	routes.HandleFunc("/openWeb/auth/accessToken", s.issue)
	routes.HandleFunc("/openWeb/auth/refreshToken", s.renew)
	routes.HandleFunc("GET /__sandbox/{$}", s.servePage)
	routes.HandleFunc("GET /__sandbox/ledger", s.serveLedger)
	routes.HandleFunc("POST /__sandbox/settle", s.serveSettle)
	routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		s.calls[Call{Route: "other", Code: codeDenied}]++
		s.mu.Unlock()
		writeJSON(w, openapi().failure(refuse(codeDenied, "")))
	})
	return routes
}

func (s *Sandbox) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	needed := []string{"app_key", "access_token", "timestamp", "charset", "version", "sign"}
	s.serveQuery(w, r, openapi(), s.readForm(w, r, needed))
}

func (s *Sandbox) servePartner(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	values := r.URL.Query()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		body = nil
	}
	c := call{
		missing:   absent(values, []string{"method", "partnerid", "token", "ts", "sign"}),
		timestamp: values.Get("ts"), sign: values.Get("sign"),
		token: values.Get("token"), method: values.Get("method"), caller: address(r), body: body,
	}
	if id := values.Get("partnerid"); id == s.cfg.AppKey {
		c.rightful = signPartner(c.method, id, c.token, c.timestamp, s.cfg.AppSecret.Reveal())
	}
	if c.method == methodRefresh {
		s.renewPartner(w, r, c)
		return
	}
	s.serveQuery(w, r, partner(), c)
}

// readForm reads a call of the new gateway; parameters in the query string do not count.
func (s *Sandbox) readForm(w http.ResponseWriter, r *http.Request, needed []string) call {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		r.PostForm = url.Values{}
	}
	form := r.PostForm
	c := call{
		missing: absent(form, needed), timestamp: form.Get("timestamp"), sign: form.Get("sign"),
		token: form.Get("access_token"), method: methodQuery, caller: address(r), body: []byte(form.Get("biz")),
	}
	if form.Get("app_key") == s.cfg.AppKey {
		c.rightful = signForm(s.cfg.AppSecret.Reveal(), form)
	}
	return c
}

func absent(values url.Values, needed []string) string {
	for _, name := range needed {
		if values.Get(name) == "" {
			return name
		}
	}
	return ""
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// signForm is the new gateway's signature: MD5 over the secret and every non-empty parameter but sign, sorted by name.
func signForm(secret string, form url.Values) string {
	names := make([]string, 0, len(form))
	for name := range form {
		if name != "sign" && form.Get(name) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var text strings.Builder
	text.WriteString(secret)
	for _, name := range names {
		text.WriteString(name)
		text.WriteString(form.Get(name))
	}
	return sum(text.String())
}

// signPartner is the old gateway's signature; the words token and ts are literal.
func signPartner(method, partnerID, token, ts, key string) string {
	return sum(method + partnerID + "token" + token + "ts" + ts + key)
}

func sum(text string) string {
	digest := md5.Sum([]byte(text)) //nolint:gosec // The vendor's signature is MD5.
	return hex.EncodeToString(digest[:])
}

// checkPublic is checks 1 to 3: parameters present, clock, signature.
func checkPublic(d dialect, c call, now time.Time) refusal {
	if c.missing != "" {
		return refusal{d.missing, "缺少参数：" + c.missing}
	}
	seconds, err := strconv.ParseInt(c.timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > d.tolerance {
		return refuse(d.clock, "")
	}
	if c.sign != c.rightful {
		return refuse(d.sign, "")
	}
	return refusal{}
}

// checkCaller is checks 4 and 5: token and whitelist.
func (s *Sandbox) checkCaller(c call, now time.Time) refusal {
	switch {
	case c.token != s.tokens.access || s.tokens.revoked || !s.tokens.alive(now):
		return refuse(codeToken, "")
	case len(s.cfg.AllowedIPs) > 0 && !slices.Contains(s.cfg.AllowedIPs, c.caller):
		return refuse(codeIP, c.caller)
	default:
		return refusal{}
	}
}

// checkRight is checks 6 and 7: grant and rate.
func (s *Sandbox) checkRight(c call, now time.Time) refusal {
	if s.cfg.Denied || c.method != methodQuery {
		return refuse(codeDenied, "")
	}
	if code := s.limit.take(c.token, now); code != 0 {
		return refuse(code, "")
	}
	return refusal{}
}
