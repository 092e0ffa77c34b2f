package juliu

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"juliu/pkg/control"
	"juliu/services/loader"
)

// watch hands a job to see as it is, then each time that it changes, and as it stands when a tick is due, until see is content, fails, or
// ctx ends. It returns the job as it was seen last.
func (d desk) watch(
	ctx context.Context, job control.Job, every time.Duration, see func(job control.Job, tick bool) (done bool, err error),
) (control.Job, error) {
	ctx, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	id, changes, watched := job.ID, make(chan control.Job), make(chan error, 1)
	group.Go(func() {
		watched <- d.jobs.Watch(ctx, func(j control.Job) error {
			if j.ID != id {
				return nil
			}
			select {
			case changes <- j:
			case <-ctx.Done():
			}
			return nil
		})
	})
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for tick := true; ; {
		if done, err := see(job, tick); done || err != nil {
			return job, err
		}
		tick = false
		select {
		case job = <-changes:
		case <-ticker.C:
			tick = true
		case err := <-watched:
			if err == nil {
				err = context.Cause(ctx)
			}
			return job, err //nolint:wrapcheck // our own, or the echo of a stop
		}
	}
}

// follow shows how a job goes on until it ends, or until ctx does, which leaves it running.
func (d desk) follow(ctx context.Context, job control.Job) error {
	f := follower{desk: d, began: d.app.Now(), rows: job.Progress.Rows}
	if !d.json {
		f.screen, _ = terminal(d.app.Out)
	}
	job, err := d.watch(ctx, job, d.app.every(), f.see)
	f.wipe()
	switch {
	case err == nil:
		return d.outcome(job)
	case ctx.Err() == nil:
		return err
	case job.State == control.Running:
		d.notef("%s", d.runs(job.ID))
	default:
		d.notef("job %s is %s, left as it is; see: juliu jobs list", job.ID, job.State)
	}
	return nil
}

// outcome says how a job ended; only a job that is done is no error.
func (d desk) outcome(job control.Job) error {
	if err := d.print(job); err != nil {
		return err
	}
	p := job.Progress
	replay := job.Kind == loader.ReplayKind
	switch job.State {
	case control.Done:
		if replay {
			d.notef("%s", replayOutcome(job))
			return nil
		}
		next := "nothing was missing"
		if p.Stored > 0 {
			next = fmt.Sprintf("see the newest with: juliu read --last %d", min(p.Stored, 20))
		}
		d.notef("job %s is done: %d rows read with %d calls in %s, %d of them new and stored; %s",
			job.ID, p.Rows, p.Calls, spell(job.Ended.Sub(job.Started)), p.Stored, next)
		return nil
	case control.Failed:
		return fmt.Errorf("job %s failed: %s; cure that and create the job again", job.ID, job.Problem)
	default:
		if replay {
			return fmt.Errorf("job %s was %s after %d records; what is loaded stays", job.ID, job.State, p.Rows)
		}
		return fmt.Errorf("job %s was %s after %d rows; the %d that it stored stay on the stream", job.ID, job.State, p.Rows, p.Stored)
	}
}

// follower shows one job: a bar that is drawn over on a terminal, lines or JSON elsewhere.
type follower struct {
	desk

	screen *os.File // nil without a terminal
	// began and rows are when and where it took up the job, for the rate.
	began time.Time
	rows  int64
	// state and problem are what was told last.
	state   control.State
	problem string
	drawn   bool
}

// see shows the job; it is content when the job has ended.
func (f *follower) see(job control.Job, tick bool) (bool, error) {
	if job.State.Ended() {
		return true, nil
	}
	news := job.State != f.state
	if news || job.Problem != f.problem {
		f.wipe()
		f.tell(job)
	}
	switch {
	case f.screen != nil:
		f.draw(job)
	case !tick && !news:
	case f.json:
		return false, f.print(job)
	default:
		f.notef("%s  %s  %s", job.ID, job.State, f.line(job))
	}
	return false, nil
}

// tell says what changed beside the numbers, and what to do about it.
func (f *follower) tell(job control.Job) {
	if job.State != f.state {
		switch job.State {
		case control.Planning:
			f.notef("job %s waits for the extractor of source %s to count its rows", job.ID, job.Source)
		case control.Planned:
			f.notef("job %s is planned: %s; start it with: %s", job.ID, plan(job), f.command("resume", job.ID))
		case control.Paused:
			f.notef("job %s is paused; go on with: %s", job.ID, f.command("resume", job.ID))
		default:
		}
	}
	if job.Problem != f.problem && job.Problem != "" {
		f.notef("the %s waits, and tries again by itself: %s", carrierOf(job), job.Problem)
	}
	f.state, f.problem = job.State, job.Problem
}

// carrierOf is who carries out a job.
func carrierOf(job control.Job) string {
	if job.Kind == loader.ReplayKind {
		return "loader"
	}
	return "extractor"
}

// quiet is how long a job that runs may show no progress before that is worth a word.
const quiet = 5 * time.Minute

// line is the job's progress.
func (f *follower) line(job control.Job) string {
	now := f.app.Now()
	parts := []string{rows(job), fmt.Sprintf("%d stored", job.Progress.Stored)}
	if job.Kind == loader.ReplayKind {
		parts = []string{rows(job)}
	}
	if passed := now.Sub(f.began).Seconds(); passed >= 1 && job.Progress.Rows > f.rows {
		parts = append(parts, fmt.Sprintf("%.0f %s/s", float64(job.Progress.Rows-f.rows)/passed, unit(job)))
	}
	switch silence := now.Sub(job.Updated); {
	case job.State != control.Running:
		parts = append(parts, string(job.State))
	case silence > quiet:
		parts = append(parts, fmt.Sprintf("no progress for %s, see the %s's log", spell(silence), carrierOf(job)))
	case job.Progress.Remaining > 0:
		parts = append(parts, "about "+spell(job.Progress.Remaining)+" left")
	}
	return strings.Join(parts, "  ")
}

const (
	barWidth = 30
	// clearLine goes to the line's begin and clears it (ECMA-48, EL).
	clearLine = "\r\x1b[K"
)

// draw draws the bar over the one before, on one line of the terminal.
func (f *follower) draw(job control.Job) {
	line := f.line(job)
	width, _, err := term.GetSize(int(f.screen.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	done, ok := share(job)
	if room := min(barWidth, width-utf8.RuneCountInString(line)-4); ok && room > 3 {
		full := int(done * float64(room))
		line = "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "] " + line
	}
	if text := []rune(line); len(text) >= width {
		line = string(text[:width-1])
	}
	_, _ = fmt.Fprint(f.app.Out, clearLine+line)
	f.drawn = true
}

// wipe takes the bar away, so that a line of text may stand there.
func (f *follower) wipe() {
	if f.drawn {
		_, _ = fmt.Fprint(f.app.Out, clearLine)
		f.drawn = false
	}
}
