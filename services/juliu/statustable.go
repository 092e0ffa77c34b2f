package juliu

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"juliu/pkg/jushuitan"
)

const (
	// shownSources are as many as fit on one screen.
	shownSources = 3
	// shownJobs likewise.
	shownJobs = 5
	// worrying is from which share of a limit on a size is worth a look.
	worrying = 0.8
)

// table is the status for people.
func (v statusLine) table(p painter) string {
	var text strings.Builder
	line := func(title, format string, args ...any) {
		_, _ = fmt.Fprintf(&text, "  %s  %s\n", p.paint(grey, fmt.Sprintf("%-12s", title)), fmt.Sprintf(format, args...))
	}
	_, _ = fmt.Fprintf(&text, "%s  %s +08:00  %s\n", p.paint(bold, "juliu status"), jushuitan.At(v.At), p.paint(grey, v.Server))
	if len(v.Sources) == 0 {
		_, _ = fmt.Fprintf(&text, "%s\n", p.paint(yellow, "no order and no checkpoint yet: start an extractor with EXTRACTOR_START set, or try 'juliu up'"))
	}
	for i, s := range v.Sources {
		if i == shownSources {
			_, _ = fmt.Fprintf(&text, "\n%s\n", v.more(p))
			break
		}
		_, _ = fmt.Fprintf(&text, "\n%s\n", p.paint(bold, strings.TrimSpace(s.Source+" "+s.Resource)))
		line("newest order", "%s", s.fresh(v.At))
		line("checkpoint", "%s", s.Checkpoint.text(v.At, p))
		line("completeness", "%s", s.Audit.text(v.At, p))
		line("lease", "%s", s.holder(v, p))
		if s.Lease != nil {
			line("quota", "%s", s.Quota.text(p))
		}
	}
	_, _ = fmt.Fprintln(&text)
	line("stream", "%s", v.Stream.text(v.At, p))
	line("loaders", "%s", v.Loaders.text(v.At, p))
	line("rates", "%.1f orders/s stored, %.1f/s loaded, over %.1f s", v.Rates.Stored, v.Rates.Loaded, v.Rates.Seconds)
	line("dead letters", "%s", p.paint(alarm(v.DeadLetters > 0, yellow), strconv.FormatUint(v.DeadLetters, 10)))
	line("jobs", "%s", v.jobsText())
	return text.String()
}

func (s sourceLine) fresh(now time.Time) string {
	n := s.Newest
	if n == nil {
		return "none yet"
	}
	text := past(now, n.Stored) + " stored"
	if n.Modified != nil {
		text += ", changed in the ERP " + jushuitan.At(*n.Modified).String()
	}
	return text
}

// How old a commit may be: an extractor commits at every look, which EXTRACTOR_INTERVAL puts an hour apart at most.
const (
	commitLate = 5 * time.Minute
	commitDead = 2 * time.Hour
)

func (c checkpointLine) text(now time.Time, p painter) string {
	if c.Cursor == nil {
		return "nothing was read yet"
	}
	text := fmt.Sprintf("read up to %s, %s behind", jushuitan.At(*c.Cursor), spell(now.Sub(*c.Cursor)))
	if c.Committed != nil {
		age := now.Sub(*c.Committed)
		text += ", " + p.paint(alarm(age > commitDead, red)+alarm(age > commitLate && age <= commitDead, yellow), "committed "+past(now, *c.Committed))
		if c.Standing {
			text += p.paint(red, ", the cursor stands since "+past(now, *c.ReadAt))
		}
	}
	swept := "never swept"
	if c.SweptAt != nil {
		swept = "swept " + past(now, *c.SweptAt)
	}
	return fmt.Sprintf("%s; %s, %s, %s", text, swept, c.Mode, c.Filter)
}

func (q *quotaLine) text(p painter) string {
	if q == nil {
		return "not told: this holder is of an older version"
	}
	text := fmt.Sprintf("%d calls in the last minute of %d allowed", q.Used, q.Allowed)
	if q.Allowed < q.Configured {
		text = p.paint(yellow, fmt.Sprintf("%s (%d are configured; the ERP refused more)", text, q.Configured))
	}
	return fmt.Sprintf("%s; %d refused for rate since its start", text, q.Refused)
}

// more is what of the sources does not fit.
func (v statusLine) more(p painter) string {
	rest := v.Sources[shownSources:]
	held := 0
	for _, s := range rest {
		if s.Lease != nil {
			held++
		}
	}
	return p.paint(yellow, fmt.Sprintf("… and %d more that were read longer ago, %d of them with a holder; --output json lists all", len(rest), held))
}

func (s sourceLine) holder(v statusLine, p painter) string {
	switch {
	case s.Lease != nil && s.Lease.Since.IsZero():
		return s.Lease.Holder
	case s.Lease != nil:
		text := fmt.Sprintf("%s, since %s; lasts %.0f s without a word", s.Lease.Holder, jushuitan.At(s.Lease.Since), s.Lease.Term)
		if s.Checkpoint.Committed == nil && v.At.Sub(s.Lease.Since) > commitLate {
			text += p.paint(red, "; nothing was committed yet, see its log")
		}
		return text
	case v.Up:
		return "none needed: juliu up holds the data folder"
	default:
		return p.paint(red, "nobody reads this source")
	}
}

func (s streamLine) text(now time.Time, p painter) string {
	size := bytesText(s.Bytes)
	if s.MaxBytes > 0 {
		share := float64(s.Bytes) / float64(s.MaxBytes)
		size = p.paint(alarm(share >= worrying, red), fmt.Sprintf("%s of %s (%.0f %%)", size, bytesText(s.MaxBytes), share*100))
	} else {
		size += ", no limit of size"
	}
	kept := "kept for ever"
	if s.MaxAge > 0 {
		kept = "kept " + spell(time.Duration(s.MaxAge*float64(time.Second)))
	}
	text := fmt.Sprintf("%d records, %s, %s", s.Records, size, kept)
	if !s.FirstTime.IsZero() {
		text += ", the oldest " + past(now, s.FirstTime)
	}
	return text
}

func (l loadersLine) text(now time.Time, p painter) string {
	backlog := "nothing waits"
	if l.Backlog > 0 {
		backlog = l.waits(now, p)
	}
	idle := fmt.Sprintf("%d loaders idle", l.Waiting)
	if l.Waiting == 1 {
		idle = "1 loader idle"
	}
	switch {
	case l.Paused:
		idle = p.paint(red, "the consumer is paused and gives nothing")
	case l.Stuck:
		idle = p.paint(red, "none was acknowledged "+sinceAcked(now, l.Acked))
	case l.Waiting == 0 && l.AckPending == 0:
		idle = p.paint(alarm(l.Backlog > 0, red), "no loader asks")
	}
	return fmt.Sprintf("%s; %s; %s", backlog, idle, p.paint(alarm(l.Redelivered > 0, yellow), fmt.Sprintf("%d redelivered", l.Redelivered)))
}

// waits is the backlog: how much, since when, how much longer.
func (l loadersLine) waits(now time.Time, p painter) string {
	text := fmt.Sprintf("%d records wait (%d of them with a loader)", l.Backlog, l.AckPending)
	if l.Oldest != nil {
		text += ", the oldest stored " + past(now, *l.Oldest)
	}
	if l.Expiring {
		text += p.paint(red, " and soon deleted for its age")
	}
	if l.ETA != nil {
		return text + ", loaded in about " + spell(time.Duration(*l.ETA*float64(time.Second)))
	}
	return text + ", it does not shrink now"
}

func sinceAcked(now time.Time, acked *time.Time) string {
	if acked == nil {
		return "ever"
	}
	return "for " + spell(now.Sub(*acked))
}

func (v statusLine) jobsText() string {
	if len(v.jobs) == 0 {
		return "none"
	}
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "%d open; see: juliu jobs list\n", len(v.jobs))
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, job := range v.jobs[:min(len(v.jobs), shownJobs)] {
		_, _ = fmt.Fprintln(w, "  "+tableRow(job))
	}
	_ = w.Flush()
	return strings.TrimRight(text.String(), "\n")
}

// alarm is a colour where there is reason for one.
func alarm(on bool, c colour) colour {
	if on {
		return c
	}
	return plain
}

// past is how long ago something was, e.g. "41 s ago".
func past(now, then time.Time) string { return spell(max(now.Sub(then), 0)) + " ago" }

// bytesText is a size for people.
func bytesText(n uint64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/step, 0
	for value >= step {
		value /= step
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}
