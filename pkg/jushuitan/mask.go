package jushuitan

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

const (
	mask       = "***"
	maxText    = 200 // runes of foreign text that an error carries
	maskDigits = 11  // digits in a row that may be a phone number or an id
)

// clean makes foreign text fit for an error: printable runes only, one line, the secrets and the credentials of addresses replaced,
// long runs of digits replaced, at most maxText runes. IP addresses survive, because none has eleven digits in a row.
func clean(text string, secrets []string) string {
	// Printable first: a secret split by a control character would join only afterwards. The cut keeps huge texts cheap.
	const enough = 64 << 10
	text = strings.ToValidUTF8(text[:min(len(text), enough)], "�")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		default:
			return -1
		}
	}, text)
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, mask)
			text = strings.ReplaceAll(text, url.QueryEscape(secret), mask)
		}
	}
	text = regexp.MustCompile(`//[^/@ ]*@`).ReplaceAllString(text, "//"+mask+"@")
	text = strings.Join(strings.Fields(maskRuns(text)), " ")
	if runes := []rune(text); len(runes) > maxText {
		return string(runes[:maxText-1]) + "…"
	}
	return text
}

// maskRuns replaces every run of maskDigits and more digits, of any script.
func maskRuns(text string) string {
	runes := []rune(text)
	var out strings.Builder
	for i := 0; i < len(runes); {
		end := i
		for end < len(runes) && unicode.IsDigit(runes[end]) {
			end++
		}
		if end-i >= maskDigits {
			out.WriteString(mask)
			i = end
			continue
		}
		end = max(end, i+1)
		out.WriteString(string(runes[i:end]))
		i = end
	}
	return out.String()
}

// findIP is the first IP address in text, "" when there is none.
func findIP(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("0123456789abcdefABCDEF.:", r)
	})
	for _, word := range words {
		for _, candidate := range []string{word, strings.Trim(word, "."), strings.Trim(word, ".:")} {
			if ip, err := netip.ParseAddr(candidate); err == nil && !ip.IsUnspecified() {
				return ip.String()
			}
		}
		if ip, err := netip.ParseAddrPort(word); err == nil {
			return ip.Addr().String()
		}
	}
	return ""
}
