package extractor

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"juliu/pkg/jushuitan"
)

// week is the longest span that the vendor answers.
const week = 7 * 24 * time.Hour

// Whatever the settings, the clock and the restarts: the windows read follow each other without a gap from the start to settle before now,
// none ends later, none is longer than the vendor's week with its edge, and a clock that stands still sees the end of it.
func TestPlannedWindowsHaveNoGapNoFutureAndAnEnd(t *testing.T) {
	t.Parallel()
	seeds := uint64(100_000)
	if long() {
		seeds = 2_000_000
	}
	windows := 0
	for seed := range seeds {
		p := draw(seed)
		if err := p.run(); err != nil {
			t.Fatalf("seed %d, settle %s, overlap %s, window %s: %v", seed, p.cfg.Settle, p.cfg.Overlap, p.cfg.Window, err)
		}
		windows += p.windows
	}
	t.Logf("%d cases, %d windows", seeds, windows)
}

// planner is a poller without an ERP and without a stream.
type planner struct {
	*rand.Rand

	cfg   Config
	now   time.Time
	at    position
	look  lookBack
	slice time.Duration
	// unread is the earliest instant from the start on that no window has covered.
	unread  time.Time
	windows int
}

// draw makes a planner with settings that LoadConfig would take.
func draw(seed uint64) *planner {
	p := &planner{Rand: rand.New(rand.NewPCG(seed, 2))}
	p.cfg.Window = time.Minute + p.upTo(maxWindow-time.Minute)
	// A few windows of everything: thousands of them are as much alike as ten, and take their time.
	p.cfg.Settle = min(p.upTo(24*time.Hour), 3*p.cfg.Window)
	p.cfg.Overlap = min(edge+p.upTo(24*time.Hour-edge), 3*p.cfg.Window)
	p.cfg.Start = noon.Add(p.upTo(time.Hour))
	p.now = noon.Add(p.upTo(10 * p.cfg.Window))
	p.at, p.unread, p.slice = position{cursor: p.cfg.Start}, p.cfg.Start.Truncate(time.Second), p.cfg.Window
	return p
}

// upTo is a duration of any length, or as likely a short one of any order of magnitude.
func (p *planner) upTo(most time.Duration) time.Duration {
	if p.IntN(2) == 0 {
		most >>= p.IntN(30)
	}
	return time.Duration(p.Int64N(int64(most) + 1))
}

func (p *planner) run() error {
	for range 6 {
		p.now = p.now.Add(p.upTo(3 * p.cfg.Window))
		switch p.IntN(10) {
		case 0: // the clock is set back
			p.now = p.now.Add(-p.upTo(24 * time.Hour))
		case 1: // the process restarts
			p.look, p.slice = lookBack{}, p.cfg.Window
		}
		if _, err := p.step(p.IntN(20)); err != nil {
			return err
		}
	}
	return p.finish()
}

// finish lets the clock stand still: the remaining windows are as many as the distance needs, one more for each step that a cut second
// costs, and then there is none.
func (p *planner) finish() error {
	p.slice = p.cfg.Window
	end := p.now.Add(-p.cfg.Settle).Truncate(time.Second)
	most := 2 + int(max(0, end.Sub(p.at.cursor))/(p.cfg.Window-time.Second))
	for range most {
		more, err := p.step(1 << 30)
		if err != nil {
			return err
		}
		if !more {
			if p.at.cursor.Before(end) {
				return fmt.Errorf("nothing is planned after %v, although the time up to %v has settled", p.at.cursor, end)
			}
			return nil
		}
	}
	return fmt.Errorf("after %d more windows there is no end: the cursor is at %v of %v", most, p.at.cursor, end)
}

// step is what Poller.Step does with a plan. The process dies after so many slices.
func (p *planner) step(slices int) (bool, error) {
	began := p.now
	look := p.look.due(began, p.cfg)
	plan, ok := planWindow(p.at, began, look, p.cfg)
	if !ok {
		return false, nil
	}
	if plan.Begin.After(p.at.cursor) || !plan.End.After(p.at.cursor) {
		return false, fmt.Errorf("the plan %v does not go on from %v", plan, p.at.cursor)
	}
	if plan.End.After(p.at.cursor.Add(p.cfg.Window)) || plan.Begin != plan.Begin.Truncate(time.Second) || plan.End != plan.End.Truncate(time.Second) {
		return false, fmt.Errorf("the plan %v ends more than a window after %v, or within a second", plan, p.at.cursor)
	}
	calm := slices > 20
	for begin := plan.Begin; begin.Before(plan.End); slices-- {
		if slices == 0 {
			p.look, p.slice = lookBack{}, p.cfg.Window
			return true, nil
		}
		asked := Window{Begin: begin, End: plan.End}.first(p.slice)
		read := asked
		for !calm && p.IntN(3) == 0 && read.span() > minSpan {
			if read = read.half(); !p.part(read, asked) {
				return false, fmt.Errorf("half of %v is %v", asked, read)
			}
		}
		if !calm && p.IntN(2) == 0 {
			p.slice = min(read.span()*2, p.cfg.Window)
		}
		if err := p.read(read, began); err != nil {
			return false, err
		}
		begin = read.End
	}
	if look {
		p.look = lookBack{at: began, cheap: p.IntN(2) == 0}
	}
	if !p.at.cursor.Equal(plan.End) {
		return false, fmt.Errorf("the plan %v was carried out and the cursor is at %v", plan, p.at.cursor)
	}
	return true, nil
}

// part says that a window is a beginning of another one, in whole seconds.
func (p *planner) part(w, of Window) bool {
	return w.Begin.Equal(of.Begin) && w.span() >= minSpan && w.span()%time.Second == 0 && !w.End.After(of.End)
}

// read takes a window and moves the cursor.
func (p *planner) read(w Window, now time.Time) error {
	p.windows++
	switch {
	case w.span() <= 0 || w.span()+edge > week:
		return fmt.Errorf("%v is %s long", w, w.span())
	case w.End.After(now.Add(-p.cfg.Settle)):
		return fmt.Errorf("%v has not settled at %v", w, now)
	case w.Begin.After(p.unread):
		return fmt.Errorf("%v leaves a gap after %v", w, p.unread)
	}
	if w.End.After(p.unread) {
		p.unread = w.End
	}
	if w.End.After(p.at.cursor) {
		p.at = position{cursor: w.End, readAt: now}
	}
	if p.at.cursor.After(p.unread) {
		return fmt.Errorf("the cursor %v is ahead of what was read, %v", p.at.cursor, p.unread)
	}
	return nil
}

// instants are whole and broken seconds around changes of clocks: Los Angeles in March and November, Shanghai's last summer time, and
// midnight in Beijing.
func instants() []time.Time {
	return []time.Time{
		time.Date(2026, 3, 8, 9, 59, 59, 0, time.UTC), time.Date(2026, 3, 8, 10, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 1, 8, 30, 0, 0, time.UTC), time.Date(2026, 11, 1, 9, 0, 0, 999_999_999, time.UTC),
		time.Date(1991, 4, 13, 18, 0, 0, 0, time.UTC), time.Date(1991, 9, 14, 17, 0, 0, 0, time.UTC),
		time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 15, 59, 59, 0, time.UTC),
	}
}

// The windows and the texts of their queries do not depend on the zone of the machine. The test starts itself in each zone.
func TestTheZoneOfTheMachineChangesNoQuery(t *testing.T) {
	t.Parallel()
	const mark = "query: "
	if os.Getenv("JULIU_ZONE_CHILD") != "" {
		for _, text := range queries(t) {
			_, _ = fmt.Println(mark + text) //nolint:forbidigo // this is what the parent reads
		}
		return
	}
	zones := map[string]string{"UTC": "UTC", "America/Los_Angeles": "PST", "Asia/Shanghai": "CST"}
	for zone, name := range zones {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheZoneOfTheMachineChangesNoQuery$")
			cmd.Env = append(os.Environ(), "TZ="+zone, "JULIU_ZONE_CHILD="+name)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var got []string
			for line := range strings.Lines(string(out)) {
				if text, ok := strings.CutPrefix(line, mark); ok {
					got = append(got, strings.TrimSpace(text))
				}
			}
			if want := queries(t); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("the queries are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// queries are the windows planned at each instant, given in the machine's zone as a careless caller would, and the requests made of them.
func queries(t *testing.T) []string {
	t.Helper()
	if name, offset := noon.Add(-60 * 24 * time.Hour).Local().Zone(); os.Getenv("JULIU_ZONE_CHILD") != "" && name != os.Getenv("JULIU_ZONE_CHILD") {
		t.Fatalf("the machine's zone is %s, %d", name, offset)
	}
	var texts []string
	for _, instant := range instants() {
		now := instant.Local()
		w, ok := planWindow(position{cursor: now.Add(-time.Hour), readAt: now.Add(-time.Minute)}, now, true, limits())
		body, err := json.Marshal(salesOutQuery(Ask{Window: w, Page: 1, Size: 50}))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if got, want := jushuitan.At(now).String(), instant.UTC().Add(8*time.Hour).Format(time.DateTime); got != want {
			t.Errorf("%v is asked for as %s, want %s", instant, got, want)
		}
		texts = append(texts, fmt.Sprint(w.Begin.UTC(), " ", w.End.UTC(), " ", string(body)))
	}
	return texts
}
