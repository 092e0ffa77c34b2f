package extractor

import (
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
)

// edge is how far before its begin a window is asked for: the vendor does not say whether modified_begin and modified_end are included,
// and compares whole seconds with times that may carry fractions. Begin and end are whole seconds, so a second makes neighbouring
// windows complete in every reading, also where the begin is excluded and fractions are cut before the comparison.
const edge = time.Second

// Window is a half-open span [Begin, End) of modification time, UTC, in whole seconds.
type Window struct{ Begin, End time.Time }

// String is the window in UTC.
func (w Window) String() string {
	return "[" + w.Begin.Format(time.RFC3339) + ", " + w.End.Format(time.RFC3339) + ")"
}

// span is the window's length.
func (w Window) span() time.Duration { return w.End.Sub(w.Begin) }

// half is the first half of the window, at least one second long.
func (w Window) half() Window {
	length := max((w.span() / 2).Truncate(time.Second), time.Second)
	return Window{Begin: w.Begin, End: w.Begin.Add(length)}
}

// first is the window's part that is no longer than length.
func (w Window) first(length time.Duration) Window {
	if w.span() <= length {
		return w
	}
	return Window{Begin: w.Begin, End: w.Begin.Add(length)}
}

// position is where the reading of a resource stands.
type position struct {
	// cursor: every change before it has been read.
	cursor time.Time
	// readAt is when the window that ended at cursor was read; zero when nothing was read yet.
	readAt time.Time
}

// reach is how far behind the cursor a look back may begin: twice the overlap, because looks are up to an overlap apart, and the settle
// time.
func (c Config) reach() time.Duration { return 2*c.Overlap + c.Settle }

// clockMargin is how much further back than what is read it must be known what is stored: a record may be stamped by the stream a little
// before the ERP's own time, by as much as the clocks may differ.
const clockMargin = 5 * time.Minute

// memory is how far behind the cursor it must be known what is stored: as far as a look back or a sweep reads again.
func (c Config) memory() time.Duration {
	span := c.reach()
	if c.SweepEvery > 0 {
		span = max(span, c.SweepSpan)
	}
	return span + clockMargin
}

// lookBack remembers the last time that the past was read again.
type lookBack struct {
	// at is when that step began; zero when there was none since the start.
	at time.Time
	// cheap says that it cost no call more than looking forward does.
	cheap bool
}

// due says whether the next step looks back. A change that becomes visible up to settle+overlap after its modification time must be
// found: so the past is read again at least once per overlap, and as far back as reach. Reading it with every step would find such a
// change sooner, and at a busy merchant spend the whole quota on rows that are stored; where it costs nothing it is done.
func (l lookBack) due(now time.Time, cfg Config) bool {
	return l.at.IsZero() || l.cheap || now.Sub(l.at) >= cfg.Overlap || now.Before(l.at)
}

// planWindow says what to read next: from the cursor, or from before it when looking back, to settle before now, at most cfg.Window
// beyond the cursor. It answers false while nothing new has settled.
//
// What was read long after the cursor's time (catching up) has had its lateness already and is not read again.
func planWindow(at position, now time.Time, look bool, cfg Config) (Window, bool) {
	end := now.Add(-cfg.Settle)
	if limit := at.cursor.Add(cfg.Window); end.After(limit) {
		end = limit
	}
	end = end.Truncate(time.Second)
	if !end.After(at.cursor) {
		return Window{}, false
	}
	begin := at.cursor
	if look && !at.readAt.IsZero() {
		begin = begin.Add(-max(0, cfg.reach()-at.readAt.Sub(at.cursor)))
	}
	return Window{Begin: begin.Truncate(time.Second), End: end}, true
}

// windowFields are a window for the log.
func windowFields(w Window) logrus.Fields {
	return logrus.Fields{logging.WindowBegin: w.Begin.Format(time.RFC3339), logging.WindowEnd: w.End.Format(time.RFC3339)}
}
