package extractor

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"juliu/pkg/audit"
	"juliu/pkg/control"
)

// AuditKind is the kind of jobs whose spec is an Audit and whose report is an audit.Report.
const AuditKind = "audit"

// maxAudit is how long the period of one audit may be: its report is one message.
const maxAudit = 366 * 24 * time.Hour

// Audit is what an audit compares: what the ERP and the stream hold of a window of modification time.
type Audit struct {
	// From and To bound the modification time, To excluded.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// ShopID compares one shop alone; nil compares what the extractor reads.
	ShopID *int64 `json:"shop_id,omitempty"`
	// Exact reads every row; else rows are read only where counts differ.
	Exact bool `json:"exact,omitempty"`
	// Repair stores what is missing.
	Repair bool `json:"repair,omitempty"`
	// Wait waits until everything up to To has settled; else what has not is left out.
	Wait bool `json:"wait,omitempty"`
	// Scheduled says that nobody asked for it: it is part of EXTRACTOR_AUDIT_EVERY.
	Scheduled bool `json:"scheduled,omitempty"`
}

// Validate says what is wrong with it, for people.
func (a Audit) Validate(now time.Time) error {
	switch {
	case a.From.IsZero() || a.To.IsZero():
		return errors.New("give the begin and the end of the window")
	case a.To.Sub(a.From) > maxAudit:
		return errors.New("the window is longer than a year: audit it year by year")
	}
	return Backfill{From: a.From, To: a.To, ShopID: a.ShopID}.Validate(now)
}

// decodeAudit reads what a job asks for, and what was found so far.
func decodeAudit(job control.Job, now time.Time) (Audit, audit.Report, error) {
	var (
		spec   Audit
		report audit.Report
	)
	err := json.Unmarshal(job.Spec, &spec)
	if err == nil {
		err = spec.Validate(now)
	}
	if err == nil && len(job.Report) > 0 {
		err = json.Unmarshal(job.Report, &report)
	}
	if err != nil {
		return spec, report, fmt.Errorf("read what job %s asks for: %w", job.ID, err)
	}
	return spec, report, nil
}

// days are the days of +08:00 of a window, as merchants count them.
func days(w Window) []Window {
	const zone, day = 8 * time.Hour, 24 * time.Hour
	var all []Window
	for w.span() > 0 {
		end := w.Begin.Add(zone).Truncate(day).Add(day - zone)
		part := Window{Begin: w.Begin, End: minTime(end, w.End)}
		all = append(all, part)
		w.Begin = part.End
	}
	return all
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
