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
	// maxPasses is how often a window that cannot be halved to any use is read.
	maxPasses = 3
	// dateStep is how far the ERP's Date may be behind its own clock: it has whole seconds, and was written before the answer came.
	dateStep = 2 * time.Second
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
	settle   time.Duration
	now      func() time.Time
	log      logrus.FieldLogger
	metrics  *metrics
	// ahead is how far our clock was found to be ahead of the ERP's.
	ahead time.Duration
}

// row is one row as received.
type row struct {
	raw       []byte
	fetchedAt time.Time
}

// read returns all rows of w, or of its first part when w is deep or restless: the window that it read is returned beside them.
//
// Pages are read from the last to the first. A row that is changed meanwhile leaves the window, and those behind it slide towards the
// front, onto pages still to be read: they are seen twice, never missed (a walk from the first page misses them). Rows that enter
// (late commits) slide others the other way, and the order of equal times may change: so a pass whose count moved proves nothing, and
// the window is halved, down to a single page, which one call reads whole.
func (r *reader) read(ctx context.Context, w Window) ([]row, Window, error) {
	for {
		p, err := r.pass(ctx, w)
		if err != nil || p.settled() {
			return p.rows, w, err
		}
		if w.span() <= minSpan || p.last == 1 {
			rows, done, err := r.insist(ctx, w, p)
			if err != nil || done {
				return rows, w, err
			}
		}
		w = w.half()
		r.metrics.splits.Inc()
	}
}

// pass walks over w once; a window that is too deep it only sounds.
func (r *reader) pass(ctx context.Context, w Window) (*pass, error) {
	p := &pass{reader: r, window: w, distinct: map[string]struct{}{}}
	if err := p.find(ctx); err != nil || p.deep() {
		return p, err
	}
	return p, p.walk(ctx)
}

// insist reads a window that cannot be halved to any use until two passes agree, or takes all that maxPasses saw; the next look back
// reads it again. It answers false when the window has grown so that halving is of use.
func (r *reader) insist(ctx context.Context, w Window, last *pass) ([]row, bool, error) {
	all := last.rows
	for range maxPasses - 1 {
		r.metrics.rereads.Inc()
		p, err := r.pass(ctx, w)
		if err != nil || p.last > 1 && w.span() > minSpan {
			return nil, false, err
		}
		all = append(all, p.rows...)
		if p.settled() {
			return all, true, nil
		}
		if !p.moved && maps.Equal(last.distinct, p.distinct) {
			// The rows agree, so it is the count that is wrong: some merchants' counts include what they may not see.
			r.doubt(w, "the ERP counts more rows than it shows, twice the same")
			return all, true, nil
		}
		last = p
	}
	r.doubt(w, "these rows did not come to rest")
	return all, true, nil
}

// doubt counts and logs a window whose count and rows disagree.
func (r *reader) doubt(w Window, text string) {
	r.metrics.doubtful.Inc()
	r.log.WithFields(windowFields(w)).WithField(logging.Reason, text).Warn("a window's count and rows disagree")
}

// page asks for one page. It refuses an answer that contradicts itself, and one whose clock says that the window has not settled.
func (r *reader) page(ctx context.Context, w Window, index int) (jushuitan.Page, error) {
	page, err := r.erp.Query(ctx, r.resource.Endpoint, r.resource.Query(r.filter, w, index, r.size))
	if err != nil {
		return jushuitan.Page{}, fmt.Errorf("read page %d of [%s, %s): %w", index, w.Begin.Format(time.RFC3339), w.End.Format(time.RFC3339), err)
	}
	r.metrics.calls.Inc()
	r.metrics.pages.Add(1)
	if err := r.checkClock(page.ServerTime, w); err != nil {
		return jushuitan.Page{}, err
	}
	if index == 1 && len(page.Rows) == 0 && hollow(page) {
		return jushuitan.Page{}, ErrHollow
	}
	return page, nil
}

// hollow says of a first page without rows that it should have some, or says nothing at all about how many there are. A later page
// without rows is seen by pass.settled.
func hollow(page jushuitan.Page) bool {
	if page.DataCount == nil && page.PageCount == nil {
		return page.Index == 0 && page.HasNext == nil || page.HasNext != nil && *page.HasNext
	}
	return pagesOf(page, 1) > 0
}

// ErrHollow means that the ERP reported success but gave no rows where its own count says there are some, or no count at all. Reading it
// as an empty window would lose orders, so the page is asked for again.
var ErrHollow = errors.New("read a page: the ERP answered success without the rows; if it lasts, ask the vendor's support with the time of the call")

// checkClock holds the ERP's clock against ours and against the window, which must have settled by the ERP's clock. An answer without a
// Date cannot be checked.
func (r *reader) checkClock(server time.Time, w Window) error {
	if server.IsZero() {
		return nil
	}
	skew := server.Sub(r.now())
	if skew.Abs() > maxSkew {
		return &SkewError{Skew: skew}
	}
	if skew > -dateStep {
		r.ahead = 0 // the clock was set right meanwhile: no order need wait for it any more
	}
	early := w.End.Sub(server.Add(-r.settle))
	if early <= dateStep {
		return nil
	}
	r.ahead += early
	return fmt.Errorf("%w: %s", ErrUnsettled, early.Round(time.Second))
}

// ErrUnsettled means that by the ERP's clock the window ends too near to now: ours is ahead. The next windows are planned by the ERP's.
var ErrUnsettled = errors.New("plan by the ERP's clock, this machine's is ahead of it (set it by NTP)")

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
