package extractor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
)

// BackfillKind is the kind of jobs whose spec is a Backfill.
const BackfillKind = "backfill"

// Backfill is what a backfill reads again: a window of modification time, or orders by number.
type Backfill struct {
	// From and To bound the modification time, To excluded; both are needed without SoIDs.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// SoIDs are online order numbers.
	SoIDs []string `json:"so_ids,omitempty"`
	// ShopID reads one shop alone; nil reads all that the extractor reads.
	ShopID *int64 `json:"shop_id,omitempty"`
	// Status stores orders that have come as far as this one of the vendor's statuses; "" stores all.
	Status string `json:"status,omitempty"`
	// Archive reads the archived orders in place of the current ones.
	Archive bool `json:"archive,omitempty"`
}

// Validate says what is wrong with it, for people.
func (b Backfill) Validate(now time.Time) error {
	switch {
	case b.From.IsZero() != b.To.IsZero():
		return errors.New("give both the begin and the end of the window")
	case b.From.IsZero() && len(b.SoIDs) == 0:
		return errors.New("give a window of time or order numbers")
	case !b.From.IsZero() && !b.From.Before(b.To):
		return errors.New("the window's begin must lie before its end")
	case b.From.After(now):
		return errors.New("the window lies in the future")
	case b.Status != "" && !knownStatus(b.Status):
		return fmt.Errorf("status %q is none of the vendor's: WaitConfirm, OuterConfirming, Confirmed, Cancelled, Archive, Delete", b.Status)
	}
	return nil
}

func knownStatus(text string) bool {
	_, ok := stageOf(text)
	return ok
}

// ask is the reader of a job, on its own lane.
func (b *Backfiller) ask(spec Backfill) *reader {
	r := b.newReader()
	r.filter, r.archive = Filter{Status: spec.Status, ShopID: spec.ShopID}, spec.Archive
	if spec.ShopID == nil {
		r.filter.ShopID, r.filter.OfflineShops = b.cfg.Filter.ShopID, b.cfg.Filter.OfflineShops
	}
	return r
}

// window is the part of a job's window that has settled, from where the job stands.
func (b *Backfiller) window(spec Backfill, p control.Progress) Window {
	w := Window{Begin: spec.From.Truncate(time.Second), End: spec.To.Add(time.Second - 1).Truncate(time.Second)}
	if p.Cursor.After(w.Begin) {
		w.Begin = p.Cursor
	}
	if settled := b.now().Add(-b.cfg.Settle).Truncate(time.Second); w.End.After(settled) {
		w.End = settled
	}
	return w
}

// plan counts what a job will cost: one call a week of its window tells the rows.
func (b *Backfiller) plan(ctx context.Context, spec Backfill) (control.Plan, error) {
	if len(spec.SoIDs) > 0 {
		calls := (len(spec.SoIDs) + maxNames - 1) / maxNames
		return control.Plan{Calls: int64(calls), Rows: int64(len(spec.SoIDs)), Duration: b.lasts(float64(calls))}, nil
	}
	r, w := b.ask(spec), b.window(spec, control.Progress{})
	rows, calls := 0, 0.0
	for w.span() > 0 {
		part := w.first(maxWindow)
		page, _, err := r.page(ctx, Ask{Window: part, Page: 1})
		if err != nil && !errors.Is(err, ErrHollow) {
			return control.Plan{}, err
		}
		if page.DataCount == nil {
			return control.Plan{}, errNoCount
		}
		rows += *page.DataCount
		calls += callsFor(*page.DataCount, part.span(), r.size)
		w.Begin = part.End
	}
	return control.Plan{Calls: int64(math.Ceil(calls)), Rows: int64(rows), Duration: b.lasts(calls)}, nil
}

var errNoCount = errors.New("the ERP does not say how many rows there are, so the cost is not known")

// callsFor is how many pages a number of rows takes: of each page the edge before its begin was read already, and of its last second the
// rest stands on the next.
func callsFor(rows int, span time.Duration, size int) float64 {
	again := float64(rows) / max(span.Seconds(), 1) * (edge.Seconds() + 0.5)
	return max(1, float64(rows)/max(float64(size)-again, 1))
}

// lasts is how long a number of calls takes one after the other, in the quota that is left over now; a tenth of it is always had.
func (b *Backfiller) lasts(calls float64) time.Duration {
	usage := b.usage()
	spare := max(usage.Allowed-usage.LastMinute, usage.Allowed/10, 1)
	return time.Duration(calls * float64(max(usage.Latency, time.Minute/time.Duration(spare))))
}

// decodeSpec reads what a job asks for.
func (b *Backfiller) decodeSpec(job control.Job) (Backfill, error) {
	var spec Backfill
	if err := json.Unmarshal(job.Spec, &spec); err != nil {
		return spec, fmt.Errorf("read what job %s asks for: %w", job.ID, err)
	}
	return spec, spec.Validate(b.now())
}

// named reads orders by number and stores what is new of them. It begins anew after a restart; what is stored is not stored again.
func (b *Backfiller) named(intake, work context.Context, job control.Job, spec Backfill) error {
	r, p := b.ask(spec), control.Progress{}
	for names := range slices.Chunk(spec.SoIDs, maxNames) {
		var rows []row
		for index := 1; ; index++ {
			page, more, err := r.page(intake, Ask{SoIDs: names, Window: Window{Begin: spec.From, End: spec.To}, Page: index})
			if err != nil {
				return err
			}
			rows = append(rows, more...)
			if !mayHaveMore(page, index, r.size) {
				break
			}
		}
		oldest := b.now()
		for _, row := range rows {
			if at := row.Version.Modified; !at.IsZero() && at.Before(oldest) {
				oldest = at
			}
		}
		if err := b.writer.cover(intake, oldest.Add(-b.cfg.memory())); err != nil {
			return err
		}
		stored, err := b.writer.store(work, haul{lane: backfill, rows: rows, filter: r.filter})
		if err != nil {
			return err
		}
		p.Rows, p.Stored, p.Calls = p.Rows+int64(len(rows)), p.Stored+int64(stored), int64(r.calls)
		if err := b.progress(work, job.ID, p, false); err != nil {
			return err
		}
	}
	return b.progress(work, job.ID, p, true)
}

// windows reads a job's window to its end and stores what is new of it, from the newest checkpoint of the job on.
func (b *Backfiller) windows(intake, work context.Context, job control.Job, spec Backfill) error {
	r, p, w := b.ask(spec), job.Progress, b.window(spec, job.Progress)
	if err := b.writer.cover(intake, w.Begin.Add(-b.cfg.memory())); err != nil {
		return err
	}
	pace := pace{began: b.now(), rows: p.Rows, calls: p.Calls}
	slice := b.cfg.Window
	for w.span() > 0 {
		asked := w.first(slice)
		rows, read, err := r.read(intake, asked)
		if err != nil {
			return err
		}
		slice = r.nextSlice(slice, asked, read, len(rows), b.cfg.Window)
		stored, err := b.writer.store(work, haul{lane: backfill, rows: rows, filter: r.filter, window: read})
		if err != nil {
			return err
		}
		w.Begin = read.End
		p.Cursor, p.Rows, p.Stored = read.End, p.Rows+within(rows, read), p.Stored+int64(stored)
		p.Calls = pace.calls + int64(r.calls)
		p.Remaining = pace.remaining(b.now(), p, job.Plan)
		end := w.span() <= 0
		if err := b.progress(work, job.ID, p, end); err != nil || end {
			return err
		}
	}
	return b.progress(work, job.ID, p, true)
}

// within counts the rows of a window, which is read a little beyond its ends.
func within(rows []row, w Window) int64 {
	n := int64(0)
	for _, row := range rows {
		if at := row.Version.Modified; !at.Before(w.Begin) && at.Before(w.End) {
			n++
		}
	}
	return n
}

// pace is how a job went on since it was taken up, to tell how long it will still take.
type pace struct {
	began       time.Time
	rows, calls int64
}

// remaining is 0 while it is not known.
func (p pace) remaining(now time.Time, have control.Progress, plan *control.Plan) time.Duration {
	if plan == nil || have.Rows <= p.rows || plan.Rows <= have.Rows {
		return 0
	}
	each := float64(now.Sub(p.began)) / float64(have.Rows-p.rows)
	return time.Duration(each * float64(plan.Rows-have.Rows)).Round(time.Second)
}

// onLane is the context of what a job asks the ERP.
func onLane(ctx context.Context) context.Context {
	return jushuitan.WithLane(ctx, jushuitan.Backfill)
}
