package record

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape resolves a JSON string's escapes. What is no escape stays as written. A lone surrogate becomes the three bytes that
// UTF-8 forbids for it: distinct for the hash, and found as invalid UTF-8 where the string is typed.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return string(append(out, s...))
		}
		out = append(out, s[:i]...)
		s = s[i:]
		if r, width := escapedRune(s); width > 0 {
			out, s = appendRune(out, r), s[width:]
		} else {
			out, s = append(out, s[:2]...), s[2:]
		}
	}
}

// escapedRune reads the escape that s, of at least two bytes, begins with, and returns the bytes it takes: 0 when it is none.
func escapedRune(s string) (rune, int) {
	const names, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if i := strings.IndexByte(names, s[1]); i >= 0 {
		return rune(values[i]), 2
	}
	r, ok := unicodeEscape(s)
	if !ok {
		return 0, 0
	}
	if low, ok := unicodeEscape(s[6:]); ok && utf16.IsSurrogate(r) {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}

// unicodeEscape reads \uXXXX at the beginning of s.
func unicodeEscape(s string) (rune, bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	r, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(r), err == nil
}

func appendRune(out []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(out, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F) //nolint:gosec // the bits of a 16-bit rune
	}
	return utf8.AppendRune(out, r)
}
