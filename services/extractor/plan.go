package extractor

import (
	"context"
	"errors"
	"math"
	"time"

	"juliu/pkg/control"
)

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
