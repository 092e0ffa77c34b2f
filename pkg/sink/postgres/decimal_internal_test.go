package postgres

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDecimalsAreReadDigitForDigit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0":                               "0",
		"706.0":                           "706.0",
		"-0.10":                           "-0.10",
		"007":                             "7",
		"-0":                              "0",
		"1e3":                             "1000",
		"1.50E-2":                         "0.0150",
		"12e-1":                           "1.2",
		strings.Repeat("9", 40) + ".12":   strings.Repeat("9", 40) + ".12",
		strings.Repeat("1", 131072):       strings.Repeat("1", 131072),
		strings.Repeat("1", 131073):       "",
		"0." + strings.Repeat("1", 16383): "0." + strings.Repeat("1", 16383),
		"0." + strings.Repeat("1", 16384): "",
		"1e131071":                        "1" + strings.Repeat("0", 131071),
		"1e131072":                        "",
		"1e-16383":                        "0." + strings.Repeat("0", 16382) + "1",
		"1e-16384":                        "",
		"1e9223372036854775807":           "",
		"1e-9223372036854775808":          "",
		"1e99999999999999999999":          "",
		"":                                "",
		"-":                               "",
		".5":                              "",
		"5.":                              "",
		"+5":                              "",
		"1_000":                           "",
		"1,5":                             "",
		"0x10":                            "",
		"NaN":                             "",
		"Infinity":                        "",
		"1e":                              "",
		"1e1e1":                           "",
		"--1":                             "",
		"１":                               "",
	} {
		if got := written(t, text); got != want {
			t.Errorf("%.40q is %.40q, want %.40q", text, got, want)
		}
	}
}

func TestEveryPlainDecimalIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,60})(\.[0-9]{1,40})?`).Draw(t, "text")
		want := text
		if strings.Trim(text, "-0.") == "" {
			want = strings.TrimPrefix(text, "-") // there is no negative zero
		}
		if got := written(t, text); got != want {
			t.Fatalf("%q is %q", text, got)
		}
	})
}

// written is the decimal in digits, "" when it is none.
func written(t rapid.TB, text string) string {
	t.Helper()
	n, ok := decimal(text)
	if !ok {
		return ""
	}
	digits, err := n.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(digits)
}
