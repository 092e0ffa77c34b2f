package webhook

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"juliu/pkg/secret"
)

const (
	// Unsigned as Config.Secret sends without a signature: the receiver cannot tell our events from forged ones.
	Unsigned = "none"
	// MaxBatch is the most records of one request.
	MaxBatch = 100

	defaultTimeout = 30 * time.Second
)

// Config says where events go and how they are signed.
type Config struct {
	// URL is the receiver's https address. It may hold a token in its path or query. http is for hosts that Allow lists.
	URL secret.Text
	// Secret is one Standard Webhooks secret, or the new one and the one before, separated by a space; or Unsigned.
	Secret secret.Text
	// Allow lists hosts and networks that may be reached although they are not public, separated by commas: "erp.internal, 10.1.0.0/16".
	// A host stands for its loopback and private addresses (RFC 1918, fc00::/7); others, e.g. link-local ones, only a network opens.
	Allow string
	// Batch is the most records of one request, 1 to MaxBatch. The form of the body depends on whether it is 1.
	Batch int
	// Timeout bounds one request, from connecting to the end of the answer. Default 30 s.
	Timeout time.Duration
	// Now is the clock that dates the signatures; nil means time.Now.
	Now func() time.Time
}

// Part is a part of a Config.
type Part string

// The parts that can be wrong.
const (
	PartURL    Part = "url"
	PartSecret Part = "secret"
	PartAllow  Part = "allow"
	PartBatch  Part = "batch"
)

// ConfigError is one part of a Config that cannot be used. It shows no value.
type ConfigError struct {
	Part Part
	// Fault says what is wrong, as the end of a sentence that begins with the part's name.
	Fault string
	// Remedy says what to do.
	Remedy string
}

// Error is the part, what is wrong and what to do.
func (e *ConfigError) Error() string { return string(e.Part) + " " + e.Fault + "; " + e.Remedy }

// IsUnsigned reports that Secret is Unsigned.
func (cfg Config) IsUnsigned() bool { return strings.TrimSpace(cfg.Secret.Reveal()) == Unsigned }

// Check returns everything that is wrong with cfg.
func (cfg Config) Check() []*ConfigError {
	_, wrong := cfg.parse()
	return wrong
}

// parsed is a Config, read.
type parsed struct {
	url     *url.URL
	guard   guard
	signer  signer
	timeout time.Duration
	now     func() time.Time
}

func (cfg Config) parse() (parsed, []*ConfigError) {
	var wrong []*ConfigError
	p := parsed{timeout: cfg.Timeout, now: cfg.Now}
	if p.timeout == 0 {
		p.timeout = defaultTimeout
	}
	if p.now == nil {
		p.now = time.Now //nolint:forbidigo // the one default; every other clock is handed in
	}
	allow, err := parseAllow(cfg.Allow)
	if err != nil {
		wrong = append(wrong, err)
	} else if p.url, p.guard, err = parseURL(cfg.URL, allow); err != nil {
		wrong = append(wrong, err)
	}
	if !cfg.IsUnsigned() {
		if p.signer, err = parseSigner(cfg.Secret); err != nil {
			wrong = append(wrong, err)
		}
	}
	if cfg.Batch < 1 || cfg.Batch > MaxBatch {
		wrong = append(wrong, &ConfigError{PartBatch, "is out of range", "choose 1 to 100"})
	}
	return p, wrong
}

// parseURL reads the receiver's address and what may be dialled for it.
func parseURL(text secret.Text, allow allowList) (*url.URL, guard, *ConfigError) {
	fail := func(fault, remedy string) (*url.URL, guard, *ConfigError) {
		return nil, guard{}, &ConfigError{PartURL, fault, remedy}
	}
	if strings.TrimSpace(text.Reveal()) == "" {
		return fail("is not set", "set it to where events are posted, e.g. https://erp.example/juliu")
	}
	u, err := url.Parse(strings.TrimSpace(text.Reveal()))
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return fail("is not an absolute URL", "write all of it, e.g. https://erp.example/juliu")
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	address, addressErr := netip.ParseAddr(host)
	g := guard{allow: allow, named: allow.hosts[host]}
	listed := g.named || addressErr == nil && allow.covers(address)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return fail("has a scheme that cannot be used", "use https")
	case u.User != nil:
		return fail("holds a user or a password", "put what the receiver wants to see into the path or the query")
	case strings.Contains(text.Reveal(), "#"):
		return fail("has a part behind #, which is never sent", "leave it out")
	case addressErr != nil && errors.Is(checkHost(host), errHost):
		return fail("has a host that is neither a name nor an IP address in its usual form",
			"write the name in ASCII (xn--… for others), an IP address as 192.0.2.1 or [2001:db8::1]")
	case u.Scheme == "http" && !listed:
		return fail("is not https", "use https; for a receiver inside your own network list its host in LOADER_WEBHOOK_ALLOW")
	case addressErr == nil && !g.admits(address):
		return fail("names an address that is not public", "list it in LOADER_WEBHOOK_ALLOW if the receiver really is there")
	}
	return u, g, nil
}
