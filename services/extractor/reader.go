package extractor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/failpoint"
	"juliu/pkg/jushuitan"
	"juliu/pkg/record"
)

const (
	// pageRetries is how often a page is asked for again before its window is given up for now.
	pageRetries = 2
	// maxHollows is how often the ERP may count rows in a second and show none before that is believed.
	maxHollows = 4
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
	disorder  int
	// full counts the full pages that seek has read, calls all pages, hollows the hollow answers in a row about one second, unshown the
	// seconds whose hollow answers were believed.
	full, calls, hollows, unshown int
}

// row is one row as received, decoded; err says why it cannot be a record.
type row struct {
	record.Record

	err error
}

// read returns all rows of w's first part, and that part: the window that was read whole. It may return rows beyond it too.
func (r *reader) read(ctx context.Context, w Window) ([]row, Window, error) {
	for {
		rows, part, err := r.readOnce(ctx, w)
		switch {
		case !errors.Is(err, ErrHollow):
			if err == nil {
				r.hollows = 0
			}
			return rows, part, err
		case w.span() > minSpan: // perhaps a part of it has rows
			w = w.half()
			r.metrics.splits.Inc()
		default:
			if r.hollows++; r.hollows < maxHollows {
				return nil, Window{}, err
			}
			r.hollows = 0
			r.unshown++
			r.doubt(w, "the ERP counts rows there and shows none, time after time")
			return nil, w, nil
		}
	}
}

func (r *reader) readOnce(ctx context.Context, w Window) ([]row, Window, error) {
	if !r.unordered {
		rows, part, err := r.seek(ctx, w)
		if err != nil || part.span() > 0 {
			return rows, part, err
		}
	}
	return r.walk(ctx, w)
}

// page asks for one page and decodes its rows. It refuses an answer that contradicts itself, and one whose clock says that the window has
// not settled.
func (r *reader) page(ctx context.Context, a Ask) (jushuitan.Page, []row, error) {
	a.Filter, a.Size = r.filter, r.size
	a.Archive = a.Archive || r.archive
	page, err := r.erp.Query(ctx, r.resource.Endpoint, r.resource.Query(a))
	for again := 0; again < pageRetries && passing(err) && ctx.Err() == nil; again++ {
		page, err = r.erp.Query(ctx, r.resource.Endpoint, r.resource.Query(a))
	}
	if err != nil {
		return jushuitan.Page{}, nil, fmt.Errorf("read page %d of %v: %w", a.Page, a, err)
	}
	failpoint.Hit("page-read")
	r.calls++
	r.metrics.calls.Inc()
	r.metrics.proven.Store(true)
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

// passing says that a call failed for what passes by itself, and may be made again at once.
func passing(err error) bool {
	e, ok := errors.AsType[*jushuitan.Error](err)
	return ok && e.Retryable() && e.RetryAfter == 0
}

// hollow says of a first page without rows that it should have some, or says nothing at all about how many there are. A later page
// without rows is seen by pass.settled.
func hollow(page jushuitan.Page) bool {
	if page.DataCount == nil && page.PageCount == nil {
		return page.Index == 0 && page.HasNext == nil || page.HasNext != nil && *page.HasNext
	}
	return pagesOf(page, 1) > 0 // a count of 0 and no rows agree; has_next alone does not outvote them
}

// ErrHollow means that the ERP reported success but gave no rows where its own count says there are some, or no count at all. Reading it
// as an empty window would lose orders, so the page is asked for again.
var ErrHollow = errors.New("read a page: the ERP answered success without the rows; if it lasts, ask the vendor's support with the time of the call")
