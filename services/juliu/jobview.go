package juliu

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/services/extractor"
	"juliu/services/loader"
)

// jobLine is a job as --output json prints it. The order numbers of a backfill are only counted.
type jobLine struct {
	ID       string        `json:"id"`
	Kind     string        `json:"kind"`
	Source   string        `json:"source"`
	State    control.State `json:"state"`
	From     time.Time     `json:"from,omitzero"`
	To       time.Time     `json:"to,omitzero"`
	ShopID   *int64        `json:"shop_id,omitempty"`
	Orders   int           `json:"orders,omitempty"`
	Status   string        `json:"status,omitempty"`
	Archive  bool          `json:"archive,omitempty"`
	Replay   *replayAsked  `json:"replay,omitempty"`
	Plan     *planLine     `json:"plan,omitempty"`
	Progress progressLine  `json:"progress"`
	Problem  string        `json:"problem,omitempty"`
	Created  time.Time     `json:"created"`
	Started  time.Time     `json:"started,omitzero"`
	Updated  time.Time     `json:"updated"`
	Ended    time.Time     `json:"ended,omitzero"`
}

// replayAsked is what a replay asks for, but for its period, and what it did beside loading.
type replayAsked struct {
	FromSequence uint64 `json:"from_sequence,omitempty"`
	LastPerOrder bool   `json:"last_per_order,omitempty"`
	Resource     string `json:"resource,omitempty"`
	Shop         string `json:"shop_id,omitempty"`
	Order        string `json:"order,omitempty"`
	Status       string `json:"status,omitempty"`
	Rate         int    `json:"rate,omitempty"`
	Force        bool   `json:"force,omitempty"`
	Sink         string `json:"sink,omitempty"`
	Skipped      uint64 `json:"skipped"`
	Rejected     uint64 `json:"rejected"`
}

// planLine is left out until there is a plan; Known is false where the ERP does not say how many rows there are.
type planLine struct {
	Known   bool  `json:"known"`
	Calls   int64 `json:"calls"`
	Rows    int64 `json:"rows"`
	Seconds int64 `json:"seconds"`
}

type progressLine struct {
	Cursor    time.Time `json:"cursor,omitzero"`
	Calls     int64     `json:"calls"`
	Rows      int64     `json:"rows"`
	Stored    int64     `json:"stored"`
	Remaining int64     `json:"remaining_seconds"`
}

func jobLineOf(job control.Job) jobLine {
	asked, _ := askedOf(job)
	line := jobLine{
		ID: job.ID, Kind: job.Kind, Source: job.Source, State: job.State,
		From: asked.From, To: asked.To, ShopID: asked.ShopID, Orders: len(asked.SoIDs), Status: asked.Status, Archive: asked.Archive,
		Progress: progressLine{
			Cursor: job.Progress.Cursor, Calls: job.Progress.Calls, Rows: job.Progress.Rows, Stored: job.Progress.Stored,
			Remaining: int64(job.Progress.Remaining / time.Second),
		},
		Problem: job.Problem, Created: job.Created, Started: job.Started, Updated: job.Updated, Ended: job.Ended,
	}
	if p := job.Plan; p != nil {
		line.Plan = &planLine{Known: p.Calls > 0 || job.Kind == loader.ReplayKind, Calls: p.Calls, Rows: p.Rows, Seconds: int64(p.Duration / time.Second)}
	}
	if r, ok := replayOf(job); ok {
		report := replayReportOf(job)
		line.From, line.To = r.From, r.To
		line.Replay = &replayAsked{
			FromSequence: r.FromSequence, LastPerOrder: r.Newest, Resource: r.Resource, Shop: r.Shop, Order: r.Order, Status: r.Status,
			Rate: r.Rate, Force: r.Force, Sink: r.Sink, Skipped: report.Skipped, Rejected: report.Rejected,
		}
	}
	return line
}

// askedOf is what a backfill or an audit asks for; false for a job of another kind, and one that cannot be read.
func askedOf(job control.Job) (extractor.Backfill, bool) {
	switch job.Kind {
	case extractor.BackfillKind:
		var asked extractor.Backfill
		err := json.Unmarshal(job.Spec, &asked)
		return asked, err == nil
	case extractor.AuditKind:
		var asked extractor.Audit
		err := json.Unmarshal(job.Spec, &asked)
		return extractor.Backfill{From: asked.From, To: asked.To, ShopID: asked.ShopID}, err == nil
	default:
		return extractor.Backfill{}, false
	}
}

// words are what a job asks for, shortly, in the merchant's time.
func words(job control.Job) string {
	if r, ok := replayOf(job); ok {
		return replayWords(r)
	}
	asked, ok := askedOf(job)
	if !ok {
		return "-"
	}
	var parts []string
	if n := len(asked.SoIDs); n > 0 {
		parts = append(parts, fmt.Sprintf("%d orders by number", n))
	}
	if !asked.From.IsZero() {
		parts = append(parts, day(asked.From)+" … "+day(asked.To))
	}
	if asked.ShopID != nil {
		parts = append(parts, fmt.Sprintf("shop %d", *asked.ShopID))
	}
	if asked.Status != "" {
		parts = append(parts, "status "+asked.Status)
	}
	if asked.Archive {
		parts = append(parts, "archived")
	}
	return strings.Join(parts, " ")
}

// day is a time of +08:00; midnight goes without saying.
func day(t time.Time) string { return strings.TrimSuffix(jushuitan.At(t).String(), " 00:00:00") }

// plan is what a job will cost, for people.
func plan(job control.Job) string {
	p := job.Plan
	switch {
	case p == nil:
		return "not counted yet"
	case job.Kind == extractor.AuditKind:
		return fmt.Sprintf("%d calls when nothing differs", p.Calls)
	case job.Kind == loader.ReplayKind:
		return fmt.Sprintf("%d records", p.Rows)
	case p.Calls == 0:
		return "the cost is not known, because the ERP does not say how many rows there are"
	default:
		return fmt.Sprintf("%d rows, %d calls, about %s in the quota that is left over", p.Rows, p.Calls, spell(p.Duration))
	}
}

const tableHead = "ID\tKIND\tSOURCE\tWHAT\tSTATE\tPROGRESS\tLEFT\tPROBLEM"

func tableRow(job control.Job) string {
	left := "-"
	if job.State == control.Running && job.Progress.Remaining > 0 {
		left = spell(job.Progress.Remaining)
	}
	problem := cmp.Or(strings.Join(strings.Fields(job.Problem), " "), "-")
	return strings.Join([]string{job.ID, job.Kind, cmp.Or(job.Source, "-"), words(job), string(job.State), rows(job), left, problem}, "\t")
}

// rows is how far a job is, e.g. "42% 1234/2946 rows".
func rows(job control.Job) string {
	share, ok := share(job)
	if !ok {
		return fmt.Sprintf("%d rows", job.Progress.Rows)
	}
	if job.Kind == extractor.AuditKind {
		return fmt.Sprintf("%d%% %d rows", int(share*100), job.Progress.Rows)
	}
	return fmt.Sprintf("%d%% %d/%d %s", int(share*100), job.Progress.Rows, job.Plan.Rows, unit(job))
}

// unit is what a job counts: the ERP's rows, or the stream's records.
func unit(job control.Job) string {
	if job.Kind == loader.ReplayKind {
		return "records"
	}
	return "rows"
}

// share is how much of a job is done, 0 to 1, and 1 only at its end: orders move meanwhile, so the plan is an estimate. It is false when
// that is not known.
func share(job control.Job) (float64, bool) {
	switch {
	case job.Plan == nil, job.Plan.Calls == 0 && job.Kind != loader.ReplayKind:
		return 0, false
	case job.State == control.Done:
		return 1, true
	case job.Kind == extractor.AuditKind: // by time
		asked, _ := askedOf(job)
		return min(max(job.Progress.Cursor.Sub(asked.From).Seconds()/max(asked.To.Sub(asked.From).Seconds(), 1), 0), 0.99), true
	default:
		return min(float64(job.Progress.Rows)/float64(max(job.Plan.Rows, 1)), 0.99), true
	}
}

// spell is a duration for people: two units at most.
func spell(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int64(d.Round(time.Second)/time.Second), 1))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int64(d.Round(time.Minute)/time.Minute))
	case d < 2*day:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%d h %d min", int64(d/time.Hour), int64(d%time.Hour/time.Minute))
	default:
		d = d.Round(time.Hour)
		return fmt.Sprintf("%d d %d h", int64(d/day), int64(d%day/time.Hour))
	}
}
