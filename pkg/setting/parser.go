package setting

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parser reads values and collects what is wrong with them. Its methods return the zero value for an empty text, without a problem,
// and for one that cannot be used, with one; spaces around a text do not count. The zero Parser is ready. It is not for concurrent use.
type Parser struct{ problems []Problem }

// Err is nil, or a *Problems with every problem found.
func (p *Parser) Err() error {
	if len(p.problems) == 0 {
		return nil
	}
	return &Problems{All: slices.Clone(p.problems)}
}

// Problem adds a problem, e.g. of two settings that do not go together.
func (p *Parser) Problem(name, fault, remedy string) {
	p.problems = append(p.problems, Problem{Name: name, Fault: fault, Remedy: remedy})
}

// Required adds a problem unless set; what says what the value is and where it comes from.
func (p *Parser) Required(name string, set bool, what string) {
	if !set {
		p.Problem(name, "is not set", "set it to "+what)
	}
}

// Int reads a whole number from least to most.
func (p *Parser) Int(name, value string, least, most int) int {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	switch {
	case isEmpty(value):
		return 0
	case errors.Is(err, strconv.ErrSyntax):
		p.Problem(name, "is not a whole number", fmt.Sprintf("write digits only, %d to %d", least, most))
		return 0
	case err != nil || n < least || n > most:
		p.Problem(name, "is out of range", fmt.Sprintf("choose %d to %d", least, most))
		return 0
	}
	return n
}

// Duration reads a time span from least to most, with units as in 90s, 15m or 720h.
func (p *Parser) Duration(name, value string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(value))
	switch {
	case isEmpty(value):
		return 0
	case err != nil:
		p.Problem(name, "is not a duration", "write a number and its unit, e.g. 90s, 15m or 720h")
		return 0
	case d < least || d > most:
		p.Problem(name, "is out of range", fmt.Sprintf("choose %s to %s", least, most))
		return 0
	}
	return d
}

// Bool reads true or false (also 1, 0, yes, no, on, off; in any case).
func (p *Parser) Bool(name, value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "1", "yes", "on":
		return true
	case "", "false", "0", "no", "off":
		return false
	default:
		p.Problem(name, "is neither true nor false", "write true or false")
		return false
	}
}

// OneOf reads one of the options, exactly as they are written.
func (p *Parser) OneOf(name, value string, options ...string) string {
	value = strings.TrimSpace(value)
	if value != "" && !slices.Contains(options, value) {
		p.Problem(name, "is not one of its values", "choose "+strings.Join(options, ", "))
		return ""
	}
	return value
}

// URL reads an absolute URL with one of the schemes, a host, and nothing behind it but perhaps a slash, and returns scheme and
// host.
func (p *Parser) URL(name, value string, schemes ...string) string {
	value = strings.TrimSpace(value)
	if value == "" {
		return ""
	}
	example := "e.g. " + schemes[0] + "://host.example"
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		p.Problem(name, "is not an absolute URL", "write the scheme too, "+example)
		return ""
	case !slices.Contains(schemes, u.Scheme):
		p.Problem(name, "has a scheme that cannot be used", "use "+strings.Join(schemes, " or ")+", "+example)
		return ""
	case u.User != nil, u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, strings.Contains(value, "#"):
		p.Problem(name, "has more than scheme and host", "write scheme and host only, e.g. https://openapi.jushuitan.com")
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// Time reads a point in time: RFC 3339 with a zone, or a duration back from now. It must not lie after now. The result is in UTC.
func (p *Parser) Time(name, value string, now time.Time) time.Time {
	value = strings.TrimSpace(value)
	if value == "" {
		return time.Time{}
	}
	const example = "write a time with its zone (2026-01-31T00:00:00+08:00) or how far back from now (720h)"
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		back, spanErr := time.ParseDuration(value)
		if spanErr != nil {
			p.Problem(name, "is neither a time nor a duration", example)
			return time.Time{}
		}
		t = now.Add(-back)
	}
	if t.After(now) {
		p.Problem(name, "lies in the future", example)
		return time.Time{}
	}
	return t.UTC()
}

func isEmpty(value string) bool { return strings.TrimSpace(value) == "" }
