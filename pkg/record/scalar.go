package record

import (
	"strconv"
	"strings"
)

// integer reads a whole number exactly: decimal digits as strconv writes them, behind which only a fraction of zeros may stand.
// Anything that would not read back digit for digit (1e3, 007, +1, 1.5, more than 64 bits) is refused.
func integer(s string) (int64, bool) {
	digits, fraction, dotted := strings.Cut(s, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != digits {
		return 0, false
	}
	return n, !dotted || fraction != "" && strings.Trim(fraction, "0") == ""
}

// boolean reads true, false, 1 or 0, in any case; the second result tells whether it was one of them.
func boolean(s string) (bool, bool) {
	switch strings.ToLower(s) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}
