package jushuitan

import "time"

// What the numbers of the learning mean. A refusal measures the limit: the calls made within the span before it are the
// most that the server allows now, so a level needs no search downwards. Other programs of the same app make that measure too low at times:
// hence one refusal at most halves the level, and they have to come in a row to lower it further. Upwards it goes a quarter a minute, because a level proves itself only over the whole
// span of the limit: the double in about four minutes. A measured ceiling is believed for five minutes, so that a limit that stays
// low costs one refusal in that time, under two calls in a hundred, and one that is lifted is back in use within ten.
const (
	stepEvery    = time.Minute
	stepBy       = 4 // the part of the level
	ceilingHolds = 5 * time.Minute

	// The server's own hint goes before these: how long all calls rest after a refusal, doubled while the first call after the rest is refused too.
	restOfSecond = time.Second
	restOfMinute = 5 * time.Second
	longestRest  = time.Minute
	// No hint makes the newest orders wait longer than this; the first call after it tells whether it was meant.
	longestHint = 5 * time.Minute
)

// level is how many calls a span of the server is believed to allow: between one and what is configured.
type level struct {
	span    time.Duration
	top     int // the configured calls
	allowed int
	ceiling int       // the level rises no higher until lifts
	lifts   time.Time // when the ceiling is doubted
	grows   time.Time // when allowed rises next, if below
}

func newLevel(span time.Duration, calls int) level {
	return level{span: span, top: calls, allowed: calls, ceiling: calls}
}

// at is the level now.
func (l *level) at(now time.Time) int {
	for l.allowed < l.top && !now.Before(l.grows) {
		if !l.grows.Before(l.lifts) {
			l.ceiling = l.top
		}
		l.allowed = min(l.allowed+max(l.allowed/stepBy, 1), l.ceiling)
		l.grows = l.grows.Add(stepEvery)
	}
	return l.allowed
}

// refused lowers the level after a refusal, before which that many calls were made within the span.
func (l *level) refused(taken int, now time.Time) {
	l.ceiling = max(taken, (l.allowed+1)/2) // less than before: the refused call itself had one of the slots
	l.allowed = l.ceiling
	l.lifts, l.grows = now.Add(ceilingHolds), now.Add(stepEvery)
}

// resumed starts the search below the ceiling when the calls go on after more than one refusal: at what the server took within the span
// up to now, or at half of the ceiling if that is more.
func (l *level) resumed(taken int, now time.Time) {
	l.allowed = max(min(l.allowed, max(taken, l.ceiling/2)), 1)
	l.grows = now.Add(stepEvery)
}
