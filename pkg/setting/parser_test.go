package setting_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"juliu/pkg/setting"
)

// now is the moment at which the tests happen.
func now() time.Time { return time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC) }

func TestAValueIsReadOrItsProblemTold(t *testing.T) {
	t.Parallel()
	type read func(p *setting.Parser, value string) any
	span := func(p *setting.Parser, v string) any { return p.Duration("X", v, time.Second, time.Hour) }
	whole := func(p *setting.Parser, v string) any { return p.Int("X", v, 1, 50) }
	size := func(p *setting.Parser, v string) any { return p.Bytes("X", v) }
	truth := func(p *setting.Parser, v string) any { return p.Bool("X", v) }
	option := func(p *setting.Parser, v string) any { return p.OneOf("X", v, "red", "green") }
	address := func(p *setting.Parser, v string) any { return p.URL("X", v, "https", "http") }
	moment := func(p *setting.Parser, v string) any { return p.Time("X", v, now()) }
	for name, test := range map[string]struct {
		read  read
		value string
		want  any
		fault string
	}{
		"an empty duration is zero":               {span, "", time.Duration(0), ""},
		"a duration":                              {span, " 90s ", 90 * time.Second, ""},
		"a duration without a unit":               {span, "90", time.Duration(0), "X is not a duration; write a number and its unit, e.g. 90s, 15m or 720h"},
		"a duration that is too short":            {span, "1ms", time.Duration(0), "X is out of range; choose 1s to 1h0m0s"},
		"a duration that is too long":             {span, "2h", time.Duration(0), "X is out of range; choose 1s to 1h0m0s"},
		"a negative duration":                     {span, "-5m", time.Duration(0), "X is out of range; choose 1s to 1h0m0s"},
		"an empty number is zero":                 {whole, " ", 0, ""},
		"a number":                                {whole, "50", 50, ""},
		"a number with a fraction":                {whole, "5.0", 0, "X is not a whole number; write digits only, 1 to 50"},
		"a number that is too large":              {whole, "51", 0, "X is out of range; choose 1 to 50"},
		"a number beyond all integers":            {whole, strings.Repeat("9", 40), 0, "X is out of range; choose 1 to 50"},
		"a size in bytes":                         {size, "1073741824", int64(1 << 30), ""},
		"a size of zero":                          {size, "0", int64(0), ""},
		"a size of decimal megabytes":             {size, "500MB", int64(500_000_000), ""},
		"a size with a short unit":                {size, "3k", int64(3000), ""},
		"a size of binary gigabytes":              {size, "10 GiB", int64(10 << 30), ""},
		"a size of binary terabytes":              {size, "1tib", int64(1 << 40), ""},
		"a size with the unit byte":               {size, "12B", int64(12), ""},
		"a size with an unknown unit":             {size, "12MM", int64(0), "X is not a size in bytes; write digits and, if wanted, a unit, e.g. 1073741824, 500MB or 10GiB"},
		"a size with a binary unit cut short":     {size, "12i", int64(0), "X is not a size in bytes; write digits and, if wanted, a unit, e.g. 1073741824, 500MB or 10GiB"},
		"a size below zero":                       {size, "-1", int64(0), "X is not a size in bytes; write digits and, if wanted, a unit, e.g. 1073741824, 500MB or 10GiB"},
		"a unit alone":                            {size, "GB", int64(0), "X is not a size in bytes; write digits and, if wanted, a unit, e.g. 1073741824, 500MB or 10GiB"},
		"a size beyond all integers":              {size, "9000000TiB", int64(0), "X is out of range; choose less than 8 EiB"},
		"yes":                                     {truth, "Yes", true, ""},
		"no":                                      {truth, "off", false, ""},
		"neither yes nor no":                      {truth, "maybe", false, "X is neither true nor false; write true or false"},
		"an option":                               {option, "green", "green", ""},
		"an empty option":                         {option, "", "", ""},
		"no option":                               {option, "Green", "", "X is not one of its values; choose red, green"},
		"a URL":                                   {address, "https://openapi.jushuitan.com", "https://openapi.jushuitan.com", ""},
		"a URL with a slash at its end":           {address, "https://host:8443/", "https://host:8443", ""},
		"a URL with a path":                       {address, "https://open.erp321.com/api/open/query.aspx", "", "X has more than scheme and host; write scheme and host only, e.g. https://openapi.jushuitan.com"},
		"a URL with a user":                       {address, "https://user:word@host", "", "X has more than scheme and host; write scheme and host only, e.g. https://openapi.jushuitan.com"},
		"a URL with a query":                      {address, "https://host?a=b", "", "X has more than scheme and host; write scheme and host only, e.g. https://openapi.jushuitan.com"},
		"a URL with an empty query":               {address, "https://host/?", "", "X has more than scheme and host; write scheme and host only, e.g. https://openapi.jushuitan.com"},
		"a URL with a fragment":                   {address, "https://host/#top", "", "X has more than scheme and host; write scheme and host only, e.g. https://openapi.jushuitan.com"},
		"a URL with an empty fragment":            {address, "https://host#", "", "X has more than scheme and host; write scheme and host only, e.g. https://openapi.jushuitan.com"},
		"a URL without a scheme":                  {address, "openapi.jushuitan.com", "", "X is not an absolute URL; write the scheme too, e.g. https://host.example"},
		"a URL that looks like host and port":     {address, "localhost:8090", "", "X is not an absolute URL; write the scheme too, e.g. https://host.example"},
		"a URL with a scheme that cannot be used": {address, "ftp://host", "", "X has a scheme that cannot be used; use https or http, e.g. https://host.example"},
		"a time in China":                         {moment, "2026-01-31T00:00:00+08:00", time.Date(2026, time.January, 30, 16, 0, 0, 0, time.UTC), ""},
		"a time back from now":                    {moment, "24h", now().Add(-24 * time.Hour), ""},
		"a time without a zone":                   {moment, "2026-01-31T00:00:00", time.Time{}, "X is neither a time nor a duration; write a time with its zone (2026-01-31T00:00:00+08:00) or how far back from now (720h)"},
		"a time that lies in the future":          {moment, "2027-01-31T00:00:00Z", time.Time{}, "X lies in the future; write a time with its zone (2026-01-31T00:00:00+08:00) or how far back from now (720h)"},
		"a duration into the future":              {moment, "-1h", time.Time{}, "X lies in the future; write a time with its zone (2026-01-31T00:00:00+08:00) or how far back from now (720h)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p setting.Parser
			if got := test.read(&p, test.value); got != test.want {
				t.Errorf("read %v, want %v", got, test.want)
			}
			switch err := p.Err(); {
			case err == nil && test.fault != "":
				t.Errorf("no problem, want %q", test.fault)
			case err != nil && err.Error() != "read settings: "+test.fault:
				t.Errorf("problem %q, want %q", err, test.fault)
			}
		})
	}
}

func TestAllProblemsAreToldAtOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	var p setting.Parser
	p.Int("WORKERS", "many", 1, 8)
	p.Duration("SETTLE", "soon", 0, time.Hour)
	p.Required("APP_KEY", false, "the app's key")
	p.Required("APP_SECRET", true, "the app's secret")
	p.Problem("OVERLAP", "is longer than WINDOW", "shorten it")
	err := p.Err()
	const want = `read settings: 4 cannot be used:
  WORKERS is not a whole number; write digits only, 1 to 8
  SETTLE is not a duration; write a number and its unit, e.g. 90s, 15m or 720h
  APP_KEY is not set; set it to the app's key
  OVERLAP is longer than WINDOW; shorten it`
	if err == nil || err.Error() != want {
		t.Errorf("problems\n%v\nwant\n%s", err, want)
	}
	var problems *setting.Problems
	if !errors.As(err, &problems) || problems.ExitCode() != 2 || len(problems.All) != 4 {
		t.Errorf("%#v, want 4 problems and exit code 2", err)
	}
}

func TestNoValueEverStandsInAProblem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := "hunter2" + rapid.String().Draw(t, "value")
		var p setting.Parser
		p.Int("A", value, 1, 8)
		p.Duration("B", value, 0, time.Hour)
		p.Bytes("C", value)
		p.Bool("D", value)
		p.OneOf("E", value, "red")
		p.URL("F", value, "https")
		p.Time("G", value, now())
		p.Secret("H", value, value)
		p.Secret("I", "", value)
		p.Unknown([]string{"LOADER_X=" + value}, "LOADER_", struct{}{})
		if err := p.Err(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Fatalf("problems %v, want some, none with the value", err)
		}
	})
}
