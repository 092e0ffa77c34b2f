package setting_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"juliu/pkg/setting"
)

// FuzzParser reads any text as each kind of setting: it is a value within its bounds, or the zero value with a problem, which quotes nothing
// of the text. An empty text is no problem.
func FuzzParser(f *testing.F) {
	for _, value := range []string{
		"", " ", "50", "5.0", "-1", "1e9", strings.Repeat("9", 40), "90s", "1h30m", "-5m", "2562047h47m16.854775807s", "10GiB", "12MM", "8EiB", "8388607TiB", "1 kb",
		"yes", "maybe", "red", "https://host.example", "https://user:word@host/", "http://[::1]:80", "http://[::1%25lo]", "https://host?", "HTTPS://HOST", "https://ho st",
		"2026-01-31T00:00:00+08:00", "2026-01-31T00:00:00", "9999-12-31T23:59:59Z", "\x00", "\xff", "\u00a07\u00a0",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var p setting.Parser
		told := 0
		// check asserts that the reading just done told a problem or gave a good value.
		check := func(kind string, zero, good bool) {
			err := p.Err()
			if err == nil {
				if !good {
					t.Fatalf("%s of %q is out of bounds", kind, value)
				}
				return
			}
			var problems *setting.Problems
			if !asProblems(err, &problems) || len(problems.All) == told && !good || len(problems.All) > told && !zero {
				t.Fatalf("%s of %q: %v", kind, value, err)
			}
			if len(problems.All) > told && strings.TrimSpace(value) == "" {
				t.Fatalf("%s of nothing: %v", kind, err)
			}
			told = len(problems.All)
		}
		n := p.Int("X", value, 1, 50)
		check("int", n == 0, n >= 0 && n <= 50)
		d := p.Duration("X", value, time.Second, time.Hour)
		check("duration", d == 0, d == 0 || d >= time.Second && d <= time.Hour)
		size := p.Bytes("X", value)
		check("size", size == 0, size >= 0)
		check("bool", !p.Bool("X", value), true)
		option := p.OneOf("X", value, "red", "green")
		check("option", option == "", slices.Contains([]string{"", "red", "green"}, option))
		address := p.URL("X", value, "https", "http")
		var again setting.Parser
		check("URL", address == "", again.URL("X", address, "https", "http") == address && again.Err() == nil)
		at := p.Time("X", value, now())
		check("time", at.IsZero(), !at.After(now()))
		if err := p.Err(); err != nil && len(value) > 40 && strings.Contains(err.Error(), value) {
			t.Fatalf("the value is shown: %v", err)
		}
	})
}

func asProblems(err error, problems **setting.Problems) bool {
	var ok bool
	*problems, ok = err.(*setting.Problems) //nolint:errorlint // Err returns it bare
	return ok
}
