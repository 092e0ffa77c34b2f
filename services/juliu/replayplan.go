package juliu

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// replayLine is a plan as --dry-run --output json prints it.
type replayLine struct {
	Records     uint64    `json:"records"`
	Skipped     uint64    `json:"skipped"`
	First       uint64    `json:"first,omitempty"`
	Last        uint64    `json:"last,omitempty"`
	StreamFirst uint64    `json:"stream_first"`
	StreamSince time.Time `json:"stream_since,omitzero"`
	Left        string    `json:"left_out,omitempty"`
}

// tellReplay says what a replay would load, how far back the stream reaches, and what that leaves out.
func (d desk) tellReplay(spec loader.Replay, s stream.Snapshot, dryRun bool) error {
	left := leftOut(spec, s)
	if d.json && dryRun {
		line := replayLine{
			Records: spec.Plan.Chosen, Skipped: spec.Plan.Passed - spec.Plan.Chosen, First: spec.Plan.First, Last: spec.Plan.Last,
			StreamFirst: s.FirstSequence, StreamSince: s.FirstTime.UTC(), Left: left,
		}
		if err := json.NewEncoder(d.app.Out).Encode(line); err != nil {
			return fmt.Errorf("print the plan: %w", err)
		}
		return nil
	}
	p := spec.Plan
	if s.Records == 0 {
		d.notef("the stream holds no records yet")
	} else {
		d.notef("the stream reaches back to %s +08:00, sequence %d", jushuitan.At(s.FirstTime), s.FirstSequence)
	}
	if left != "" {
		d.notef("%s", left)
	}
	if p.Chosen == 0 {
		d.notef("plan: 0 records")
		return nil
	}
	text := fmt.Sprintf("plan: %d records, sequences %d to %d", p.Chosen, p.First, p.Last)
	if skipped := p.Passed - p.Chosen; skipped > 0 {
		text += fmt.Sprintf(", passing over %d others between them", skipped)
	}
	if spec.Rate > 0 {
		text += fmt.Sprintf(", at %d a second about %s", spec.Rate, spell(spec.AtRate()))
	}
	if spec.Sink != "" {
		text += ", into the sink " + spec.Sink
	}
	d.notef("%s", text)
	if !dryRun && s.Waiting == 0 && s.AckPending == 0 {
		d.notef("no loader seems to run at the moment; the replay waits for one")
	}
	return nil
}

// leftOut says what was asked for but is not on the stream any more; "" when that is nothing.
func leftOut(spec loader.Replay, s stream.Snapshot) string {
	const expired = "older records have expired (STREAM_MAX_AGE) or were deleted; read them again from the ERP with: juliu backfill --from … --to …"
	switch {
	case s.FirstSequence <= 1:
		return ""
	case spec.FromSequence > 0 && spec.FromSequence < s.FirstSequence:
		return fmt.Sprintf("records before sequence %d, if there were any, are left out: %s", s.FirstSequence, expired)
	case !spec.From.IsZero() && spec.From.Before(s.FirstTime):
		return fmt.Sprintf("what was stored before %s, if anything, is left out: %s", day(s.FirstTime), expired)
	case spec.FromSequence == 0 && spec.From.IsZero():
		return fmt.Sprintf("orders whose newest version was stored before %s, if any, are left out: %s", day(s.FirstTime), expired)
	}
	return ""
}

// replayOf is what a replay asks for; false for another job.
func replayOf(job control.Job) (loader.Replay, bool) {
	var spec loader.Replay
	if job.Kind != loader.ReplayKind {
		return spec, false
	}
	err := json.Unmarshal(job.Spec, &spec)
	return spec, err == nil
}

// replayWords are what a replay loads, shortly.
func replayWords(r loader.Replay) string {
	var parts []string
	add := func(given bool, text string) {
		if given {
			parts = append(parts, text)
		}
	}
	add(r.FromSequence > 0, fmt.Sprintf("from sequence %d", r.FromSequence))
	add(!r.From.IsZero(), "stored since "+day(r.From))
	add(!r.To.IsZero(), "stored before "+day(r.To))
	add(r.Newest, "last per order")
	add(r.Resource != "", r.Resource)
	add(r.Shop != "", "shop "+r.Shop)
	add(r.Order != "", "order "+r.Order)
	add(r.Status != "", "status "+r.Status)
	add(r.Force, "forced")
	add(r.Rate > 0, fmt.Sprintf("at most %d/s", r.Rate))
	add(r.Sink != "", "into "+r.Sink)
	return strings.Join(parts, " ")
}

// replayReportOf is what became of the records so far.
func replayReportOf(job control.Job) loader.ReplayReport {
	var report loader.ReplayReport
	_ = json.Unmarshal(job.Report, &report) // none yet
	return report
}

// replayOutcome is how a replay ended, for people.
func replayOutcome(job control.Job) string {
	r := replayReportOf(job)
	text := fmt.Sprintf("job %s is done: %d records loaded in %s", job.ID, r.Written, spell(job.Ended.Sub(job.Started)))
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	if r.Rejected > 0 {
		text += fmt.Sprintf(", %d became dead letters: juliu dlq groups", r.Rejected)
	}
	if spec, ok := replayOf(job); ok && r.Written+r.Rejected < spec.Plan.Chosen {
		text += fmt.Sprintf(", %d of the plan were not counted: they expired meanwhile, or were loaded by a loader that was killed", spec.Plan.Chosen-r.Written-r.Rejected)
	}
	return text
}
