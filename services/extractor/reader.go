package extractor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/failpoint"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
	"juliu/pkg/record"
)

const (
	// dateStep is how far the ERP's Date may be behind its own clock: it has whole seconds, and was written before the answer came.
	dateStep = 2 * time.Second
	// maxSkew is how far the ERP's clock and ours may differ. Windows end a settle time before now; a clock that runs further ahead
	// than that would step over changes that the ERP has not made yet.
	maxSkew = time.Minute
	// checkOrderEvery is after how many full pages the order of the ERP's rows is checked again.
	checkOrderEvery = 100
)

// ERP is the vendor's API as a reader needs it.
type ERP interface {
	Query(ctx context.Context, e jushuitan.Endpoint, biz any) (jushuitan.Page, error)
}

// reader reads the rows of a window while they move. It is not safe for concurrent use; each lane has its own.
type reader struct {
	erp      ERP
	resource Resource
	source   string
	filter   Filter
	archive  bool
	size     int
	settle   time.Duration
	now      func() time.Time
	log      logrus.FieldLogger
	metrics  *metrics
	// ahead is how far our clock was found to be ahead of the ERP's.
	ahead time.Duration
	// unordered: the ERP was seen to give rows in another order than that of their modification; seek is of no use then.
	unordered bool
	// full counts the full pages that seek has read, calls all pages.
	full, calls int
}

// row is one row as received, decoded; err says why it cannot be a record.
type row struct {
	record.Record

	err error
}

// read returns all rows of w's first part, and that part: the window that was read whole. It may return rows beyond it too.
func (r *reader) read(ctx context.Context, w Window) ([]row, Window, error) {
	if !r.unordered {
		rows, part, err := r.seek(ctx, w)
		if err != nil || part.span() > 0 {
			return rows, part, err
		}
	}
	return r.walk(ctx, w)
}

// seek reads one page: the first of w. The ERP gives the rows in the order of their modification, so all that were modified before the
// last row of the page stand on it, and one call shows them as they are at one moment: whatever moves between two calls, nothing can
// slip between two pages, and every page is full. The window it returns ends with the second before the last row's, or is all of w
// when there are no more rows; it is empty when a single second fills the page, or the rows are in another order.
func (r *reader) seek(ctx context.Context, w Window) ([]row, Window, error) {
	page, rows, err := r.page(ctx, Ask{Window: w, Page: 1})
	if err != nil {
		return nil, Window{}, err
	}
	if !mayHaveMore(page, 1, r.size) && (page.DataCount == nil || *page.DataCount <= len(rows)) {
		return rows, w, nil
	}
	last, ordered := ascending(rows, w, time.Time{})
	if ordered && r.full%checkOrderEvery == 0 {
		if ordered, err = r.follows(ctx, w, last); err != nil {
			return nil, Window{}, err
		}
	}
	r.full++
	if !ordered {
		r.unordered = true
		r.log.Warn("the ERP does not give rows in the order of their modification; windows are halved instead, which takes more calls")
		return nil, Window{}, nil
	}
	return rows, Window{Begin: w.Begin, End: last}, nil
}

// follows tells whether the second page begins where the first ends, as it must in the order of modification. A page may look ordered by
// chance where another order, of numbers say, happens to be nearly that of modification.
func (r *reader) follows(ctx context.Context, w Window, last time.Time) (bool, error) {
	_, rows, err := r.page(ctx, Ask{Window: w, Page: 2})
	if err != nil {
		return false, err
	}
	_, ordered := ascending(rows, w, last)
	return ordered, nil
}

// ascending tells whether the rows were modified one after the other, none before a time, and the second of the last modification. Rows
// that do not say when, or say a time outside of the window, are passed over.
func ascending(rows []row, w Window, since time.Time) (time.Time, bool) {
	last := since
	for _, row := range rows {
		at := row.Version.Modified.Truncate(time.Second)
		if at.Before(w.Begin.Add(-edge)) || at.After(w.End) {
			continue
		}
		if at.Before(last) {
			return last, false
		}
		last = at
	}
	return last, true
}

// nextSlice is how long a window is asked for next, after rows of it were read: the ERP counts what lies in it, so it should not be much more
// than what is read in one go, nor less, or a page would not be full.
func (r *reader) nextSlice(slice time.Duration, asked, read Window, rows int, longest time.Duration) time.Duration {
	const pages = 8 // as dense as the last one
	whole := !read.End.Before(asked.End)
	switch {
	case r.unordered && whole && rows*3 <= r.size:
		return min(slice*2, longest)
	case r.unordered:
		return read.span()
	case whole:
		return min(slice*4, longest)
	default:
		return min(slice, pages*read.span())
	}
}

// page asks for one page and decodes its rows. It refuses an answer that contradicts itself, and one whose clock says that the window has
// not settled.
func (r *reader) page(ctx context.Context, a Ask) (jushuitan.Page, []row, error) {
	a.Filter, a.Size = r.filter, r.size
	a.Archive = a.Archive || r.archive
	page, err := r.erp.Query(ctx, r.resource.Endpoint, r.resource.Query(a))
	if err != nil {
		return jushuitan.Page{}, nil, fmt.Errorf("read page %d of %v: %w", a.Page, a, err)
	}
	failpoint.Hit("page-read")
	r.calls++
	r.metrics.calls.Inc()
	r.metrics.pages.Add(1)
	if err := r.checkClock(page.ServerTime, a.Window); err != nil {
		return jushuitan.Page{}, nil, err
	}
	if a.Page == 1 && len(page.Rows) == 0 && hollow(page) {
		return jushuitan.Page{}, nil, ErrHollow
	}
	rows := make([]row, len(page.Rows))
	for i, raw := range page.Rows {
		rows[i].Record, rows[i].err = r.resource.Schema.Decode(r.source, raw, r.now())
	}
	return page, rows, nil
}

// String names what is asked for, without values that identify orders.
func (a Ask) String() string {
	switch {
	case a.Window.span() > 0:
		return a.Window.String()
	case a.StartTS != 0:
		return fmt.Sprintf("row versions from %d", a.StartTS)
	default:
		return fmt.Sprintf("%d orders by number", len(a.Keys)+len(a.SoIDs))
	}
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
	if early <= dateStep || w.span() == 0 {
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

// doubt counts and logs a window whose count and rows disagree.
func (r *reader) doubt(w Window, text string) {
	r.metrics.doubtful.Inc()
	r.log.WithFields(windowFields(w)).WithField(logging.Reason, text).Warn("a window's count and rows disagree")
}
