package extractor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
)

const (
	// maxPages is how many pages one slice may have: 20 pages of 50 rows fill one atomic batch, and deep pages are slow at the vendor.
	maxPages = 20
	// maxPasses is how often a slice is read again because rows entered it meanwhile, before it is read in halves.
	maxPasses = 3
	// minSpan is the shortest window; the vendor's query times have whole seconds.
	minSpan = time.Second
	// maxSkew is how far the ERP's clock and ours may differ. Windows end a settle time before now; a clock that runs further ahead
	// than that would step over changes that the ERP has not made yet.
	maxSkew = time.Minute
)

// ERP is the vendor's API as the reader needs it.
type ERP interface {
	Query(ctx context.Context, e jushuitan.Endpoint, biz any) (jushuitan.Page, error)
}

// reader reads the rows of a window while they move.
type reader struct {
	erp      ERP
	resource Resource
	filter   Filter
	size     int
	now      func() time.Time
	log      logrus.FieldLogger
	metrics  *metrics
}

// row is one row as received.
type row struct {
	raw       []byte
	fetchedAt time.Time
}

// read returns all rows of w, or of its first part when w is deep or restless: the window that it read is returned beside them.
//
// Pages are read from the last to the first. A row that is changed meanwhile leaves the window, and those behind it slide towards the
// front, onto pages still to be read: they are seen twice, never missed (a walk from the first page misses them). A row that enters
// the window (a late commit) slides others the other way; the growing count gives it away, and the pass is repeated, then the window
// halved down to a single page, which one call reads whole.
func (r *reader) read(ctx context.Context, w Window) ([]row, Window, error) {
	for {
		rows, done, err := r.readWhole(ctx, w)
		if err != nil || done {
			return rows, w, err
		}
		w = w.half()
		r.metrics.splits.Inc()
	}
}

// readWhole reads all of w, or answers false when it should be read in halves.
func (r *reader) readWhole(ctx context.Context, w Window) ([]row, bool, error) {
	splittable := w.span() > minSpan
	var (
		all    []row
		before map[string]struct{}
	)
	for range maxPasses {
		p := pass{reader: r, window: w, distinct: map[string]struct{}{}}
		if err := p.find(ctx); err != nil {
			return nil, false, err
		}
		if splittable && p.last > maxPages {
			return nil, false, nil
		}
		if err := p.walk(ctx); err != nil {
			return nil, false, err
		}
		all = append(all, p.rows...)
		if p.settled() {
			return all, true, nil
		}
		if !p.grew && before != nil && maps.Equal(before, p.distinct) {
			// Two passes agree on the rows, so it is the count that is wrong: some merchants' counts include what they may not see.
			r.doubt(w, "the ERP counts more rows than it shows, twice the same")
			return all, true, nil
		}
		before = p.distinct
		r.metrics.rereads.Inc()
	}
	if splittable {
		return nil, false, nil
	}
	// One second that never came to rest: take all that was seen. The next look back reads it again.
	r.doubt(w, "this second's rows did not come to rest")
	return all, true, nil
}

// doubt counts and logs a window whose count and rows disagree.
func (r *reader) doubt(w Window, text string) {
	r.metrics.doubtful.Inc()
	r.log.WithFields(windowFields(w)).WithField(logging.Reason, text).Warn("a window's count and rows disagree")
}

// page asks for one page and refuses an answer whose clock is far from ours.
func (r *reader) page(ctx context.Context, w Window, index int) (jushuitan.Page, error) {
	page, err := r.erp.Query(ctx, r.resource.Endpoint, r.resource.Query(r.filter, w, index, r.size))
	if err != nil {
		return jushuitan.Page{}, fmt.Errorf("read page %d of [%s, %s): %w", index, w.Begin.Format(time.RFC3339), w.End.Format(time.RFC3339), err)
	}
	r.metrics.calls.Inc()
	if skew := page.ServerTime.Sub(r.now()); !page.ServerTime.IsZero() && skew.Abs() > maxSkew {
		return jushuitan.Page{}, &SkewError{Skew: skew}
	}
	if len(page.Rows) == 0 && page.Index == 0 && page.DataCount == nil && page.PageCount == nil && page.HasNext == nil {
		return jushuitan.Page{}, ErrHollow
	}
	return page, nil
}

// ErrHollow means that the ERP reported success but gave neither rows nor a count. Reading it as an empty window would lose orders, so the
// page is asked for again.
var ErrHollow = errors.New("read a page: the ERP answered success without data; if it lasts, ask the vendor's support with the time of the call")

// SkewError means that this machine's clock and the ERP's are too far apart to know what has settled.
type SkewError struct {
	// Skew is the ERP's time minus ours.
	Skew time.Duration
}

// Error names the skew and the cure.
func (e *SkewError) Error() string {
	return fmt.Sprintf("compare clocks: the ERP's clock is %s from this machine's, more than %s, so orders would be missed: set this machine's clock by NTP",
		e.Skew.Round(time.Second), maxSkew)
}
