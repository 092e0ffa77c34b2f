package extractor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func limits() Config {
	return Config{Settle: 30 * time.Second, Overlap: 5 * time.Minute, Window: 24 * time.Hour, Interval: 15 * time.Second}
}

func TestPlanWindow(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		at         position
		now        time.Time
		begin, end time.Time
		none       bool
	}{
		"the first window begins at the start": {
			at: position{cursor: noon}, now: noon.Add(time.Hour), begin: noon, end: noon.Add(time.Hour - 30*time.Second),
		},
		"a live window reaches two overlaps back": {
			at: position{cursor: noon, readAt: noon.Add(30 * time.Second)}, now: noon.Add(time.Minute), begin: noon.Add(-10 * time.Minute), end: noon.Add(30 * time.Second),
		},
		"what was read long after its time is not read again": {
			at: position{cursor: noon, readAt: noon.Add(24 * time.Hour)}, now: noon.Add(48 * time.Hour), begin: noon, end: noon.Add(24 * time.Hour),
		},
		"part of the lateness had passed, the rest is reached back": {
			at: position{cursor: noon, readAt: noon.Add(3 * time.Minute)}, now: noon.Add(time.Hour), begin: noon.Add(-450 * time.Second), end: noon.Add(time.Hour - 30*time.Second),
		},
		"nothing has settled": {
			at: position{cursor: noon, readAt: noon.Add(30 * time.Second)}, now: noon.Add(30 * time.Second), none: true,
		},
		"a clock that went back plans nothing": {
			at: position{cursor: noon, readAt: noon.Add(30 * time.Second)}, now: noon.Add(-time.Hour), none: true,
		},
		"fractions of a second are cut": {
			at: position{cursor: noon, readAt: noon.Add(24 * time.Hour)}, now: noon.Add(40*time.Second + 999*time.Millisecond), begin: noon, end: noon.Add(10 * time.Second),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, ok := planWindow(c.at, c.now, true, limits())
			if ok == c.none {
				t.Fatalf("planned %v, %v", w, ok)
			}
			if !c.none && (!w.Begin.Equal(c.begin) || !w.End.Equal(c.end)) {
				t.Fatalf("planned [%v, %v), want [%v, %v)", w.Begin, w.End, c.begin, c.end)
			}
		})
	}
}

// Whatever the clock does, however often the process restarts, however long a step takes and wherever it breaks off: every change that
// becomes visible at most settle+overlap after its time is inside a window read after it became visible.
func TestPlannedWindowsFindEveryChangeThatIsNotTooLate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := limits()
		cfg.Overlap = time.Duration(rapid.IntRange(5, 60).Draw(t, "overlap")) * time.Second
		cfg.Settle = time.Duration(rapid.IntRange(0, 10).Draw(t, "settle")) * time.Second
		cfg.Window = time.Duration(rapid.IntRange(60, 7200).Draw(t, "window")) * time.Second
		modified := noon.Add(time.Duration(rapid.IntRange(0, 600_000).Draw(t, "modified")) * time.Millisecond)
		late := cfg.Settle + cfg.Overlap - time.Duration(rapid.IntRange(0, 3000).Draw(t, "less late"))*time.Millisecond
		visible := modified.Add(late)

		now := noon.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "first look")) * time.Second)
		at := position{cursor: noon}
		var last lookBack
		seen := false
		for range 100_000 {
			look := last.due(now, cfg)
			w, ok := planWindow(at, now, look, cfg)
			if !ok {
				now = now.Add(time.Duration(rapid.IntRange(1, 5_000).Draw(t, "wait")) * time.Millisecond)
				if at.cursor.After(modified.Add(3*cfg.Overlap+2*cfg.Settle+time.Minute)) && now.After(visible) {
					break
				}
				continue
			}
			if w.End.After(now.Add(-cfg.Settle)) {
				t.Fatalf("window %v ends after now-settle %v", w, now)
			}
			if w.Begin.After(at.cursor) {
				t.Fatalf("window %v leaves a gap behind the cursor %v", w, at.cursor)
			}
			readAt := now
			now = now.Add(time.Duration(rapid.IntRange(0, 5_000).Draw(t, "reading")) * time.Millisecond)
			end := w.End
			switch {
			case rapid.IntRange(0, 30).Draw(t, "breaks off") == 0: // a slice of it was stored, then the process died
				end = w.half().End
				last = lookBack{}
			case look:
				last = lookBack{at: readAt, cheap: rapid.IntRange(0, 30).Draw(t, "cheap") == 0}
			}
			// Exclusive at both ends and compared in whole seconds: the least that the vendor may show.
			if second := modified.Truncate(time.Second); !visible.After(readAt) && second.After(w.Begin.Add(-edge)) && second.Before(end) {
				seen = true
			}
			if end.After(at.cursor) {
				at = position{cursor: end, readAt: readAt}
			}
			if at.cursor.After(modified.Add(3*cfg.Overlap + 2*cfg.Settle + time.Minute)) {
				break
			}
		}
		if !seen {
			t.Fatalf("the change of %v, visible at %v, was never in a window read", modified, visible)
		}
	})
}
