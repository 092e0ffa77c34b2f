package sandbox

import "time"

// limit counts the accepted calls of each token in a sliding second and a sliding minute: stricter than any fixed window, so a caller
// that keeps it keeps the vendor's. A refused call does not count.
type limit struct {
	perSecond, perMinute int // 0 is unlimited
	calls                map[string][]time.Time
}

// take is 0 when the call may go on, else the code of the limit it breaks.
func (l *limit) take(token string, now time.Time) int {
	if l.perSecond == 0 && l.perMinute == 0 {
		return 0
	}
	calls := l.calls[token]
	old := 0
	for old < len(calls) && now.Sub(calls[old]) >= time.Minute {
		old++
	}
	calls = calls[old:]
	second := 0
	for i := len(calls) - 1; i >= 0 && now.Sub(calls[i]) < time.Second; i-- {
		second++
	}
	code := 0
	switch {
	case l.perSecond > 0 && second >= l.perSecond:
		code = codePerSecond
	case l.perMinute > 0 && len(calls) >= l.perMinute:
		code = codePerMinute
	default:
		calls = append(calls, now)
	}
	l.calls[token] = calls
	return code
}
