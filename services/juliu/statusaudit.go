package juliu

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/services/extractor"
)

// auditLine is what the audits of a source say: the result of the last one that ran to its end, and what it does not tell.
type auditLine struct {
	// Job is "" where none ran to its end.
	Job string `json:"job"`
	// From and To bound what was compared; they are equal when nothing had settled yet.
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Shop is "" for all that the source reads.
	Shop  string `json:"shop_id,omitempty"`
	Exact bool   `json:"exact"`
	// Complete says that something was compared and no gap is left.
	Complete bool `json:"complete"`
	// Found, Repaired and Gaps count differences; Stored are the orders that were stored anew.
	Found    int   `json:"differences"`
	Repaired int   `json:"repaired"`
	Gaps     int   `json:"gaps"`
	Stored   int64 `json:"stored"`
	// Unread says that its report cannot be read.
	Unread bool `json:"unread,omitempty"`
	// Left are earlier audits with gaps of which no later one tells, Failed is a later one that failed.
	Left   []leftLine  `json:"left,omitempty"`
	Failed *failedLine `json:"failed,omitempty"`
}

// leftLine is an audit with gaps of which no later one tells whether they are closed.
type leftLine struct {
	Job   string    `json:"job"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Shop  string    `json:"shop_id,omitempty"`
	Exact bool      `json:"exact"`
	Gaps  int       `json:"gaps"`
}

// failedLine is a job that failed.
type failedLine struct {
	Job     string    `json:"job"`
	Ended   time.Time `json:"ended,omitzero"`
	Problem string    `json:"problem"`
}

// lastAudit is what the audits of a source say; nil when none ended. Jobs come newest first.
func lastAudit(jobs []control.Job, source string) *auditLine {
	var last *auditLine
	var failed *failedLine
	var later []auditLine
	for _, job := range jobs {
		if job.Kind != extractor.AuditKind || job.Source != source {
			continue
		}
		if job.State == control.Failed && last == nil && failed == nil {
			failed = &failedLine{Job: job.ID, Ended: job.Ended, Problem: flat(job.Problem)}
		}
		if job.State != control.Done {
			continue
		}
		line, report := auditOf(job)
		switch {
		case last == nil:
			last = &line
			last.Failed = failed
		case line.Gaps > 0 && !told(report, later):
			last.Left = append(last.Left, line.left())
		}
		later = append(later, line)
	}
	if last == nil && failed != nil {
		return &auditLine{Failed: failed}
	}
	return last
}

func (a *auditLine) left() leftLine {
	return leftLine{Job: a.Job, From: a.From, To: a.To, Shop: a.Shop, Exact: a.Exact, Gaps: a.Gaps}
}

// auditOf is the result of one audit.
func auditOf(job control.Job) (auditLine, audit.Report) {
	line := auditLine{Job: job.ID, Ended: job.Ended, Stored: job.Progress.Stored}
	var report audit.Report
	if err := json.Unmarshal(job.Report, &report); err != nil {
		line.Unread = true // a newer juliu may have written it
		return line, audit.Report{}
	}
	line.From, line.To, line.Shop, line.Exact = report.From, report.To, report.Shop, report.Exact
	line.Found, line.Repaired, line.Gaps = report.Found(), report.Repaired(), report.Gaps()
	line.Complete = line.Gaps == 0 && line.To.After(line.From)
	return line, report
}

// told reports that later audits compared every window again in which an earlier one left a gap, and as closely.
func told(earlier audit.Report, later []auditLine) bool {
	for _, w := range earlier.Windows {
		if w.Missing+w.Stale+w.Altered <= w.Repaired {
			continue
		}
		if !slices.ContainsFunc(later, func(l auditLine) bool {
			return !l.From.After(w.Begin) && !l.To.Before(w.End) && (l.Shop == "" || l.Shop == earlier.Shop) && (l.Exact || !earlier.Exact)
		}) {
			return false
		}
	}
	return true
}

// auditLate is after how long without an audit it is worth a look: two of those that EXTRACTOR_AUDIT_EVERY asks for unless set.
const auditLate = 2 * 24 * time.Hour

func (a *auditLine) text(now time.Time, p painter) string {
	if a == nil {
		return p.paint(yellow, "never audited")
	}
	if a.Job == "" {
		return p.paint(red, "never audited, the last attempt failed: "+a.Failed.Problem)
	}
	ended := "audited " + past(now, a.Ended)
	text := p.paint(alarm(now.Sub(a.Ended) > auditLate, yellow), ended)
	if a.To.After(a.From) {
		text += ", " + day(a.From) + " … " + day(a.To)
	}
	if a.Shop != "" {
		text += p.paint(yellow, ", shop "+a.Shop+" alone")
	}
	text += ": " + a.result(p)
	if len(a.Left) > 0 {
		first, more := a.Left[0], ""
		if n := len(a.Left) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more audits", n)
		}
		text += p.paint(red, fmt.Sprintf("; left of %s … %s: %s, see: juliu audit --job %s%s", day(first.From), day(first.To), gaps(first.Gaps), first.Job, more))
	}
	if a.Failed != nil {
		text += p.paint(red, "; a later one failed: "+a.Failed.Problem)
	}
	return text
}

func (a *auditLine) result(p painter) string {
	switch {
	case a.Unread:
		return p.paint(yellow, "its report cannot be read, see: juliu audit --job "+a.Job)
	case a.Gaps > 0:
		return p.paint(red, gaps(a.Gaps)+", see: juliu audit --job "+a.Job)
	case !a.Complete:
		return p.paint(yellow, "nothing was compared, it had not settled")
	case a.Repaired > 0:
		return p.paint(green, "complete") + fmt.Sprintf(" after a repair of %d", a.Repaired)
	default:
		return p.paint(green, "complete")
	}
}

func gaps(n int) string {
	if n == 1 {
		return "1 gap"
	}
	return fmt.Sprintf("%d gaps", n)
}
