package extractor

import (
	"context"
	"time"

	"juliu/pkg/jushuitan"
)

const (
	// maxDisorder is how many pages in a row may be out of order before seek is given up.
	maxDisorder = 3
	// checkOrderEvery is after how many full pages the order of the ERP's rows is checked again.
	checkOrderEvery = 100
)

// seek reads one page: the first of w. The ERP gives the rows in the order of their modification, so all that were modified before the
// last row of the page stand on it, and one call shows them as they are at one moment: whatever moves between two calls, nothing can
// slip between two pages, and every page is full. The window it returns ends with the second before the last row's, or is all of w
// when there are no more rows; it is empty when a single second fills the page, or the rows are in another order.
func (r *reader) seek(ctx context.Context, w Window) ([]row, Window, error) {
	page, rows, err := r.page(ctx, Ask{Window: w, Page: 1})
	if err != nil {
		return nil, Window{}, err
	}
	return r.sought(ctx, w, page, rows)
}

// sought is seek when the first page was read already.
func (r *reader) sought(ctx context.Context, w Window, page jushuitan.Page, rows []row) ([]row, Window, error) {
	if !mayHaveMore(page, 1, r.size) && (page.DataCount == nil || *page.DataCount <= len(rows)) {
		return rows, w, nil
	}
	last, ordered := ascending(rows, w, time.Time{})
	var err error
	if ordered && r.full%checkOrderEvery == 0 {
		if ordered, err = r.follows(ctx, w, last); err != nil {
			return nil, Window{}, err
		}
	}
	r.full++
	if !ordered {
		r.disordered()
		return nil, Window{}, nil
	}
	r.disorder = 0
	return rows, Window{Begin: w.Begin, End: last}, nil
}

// disordered counts pages out of order. One may be a late commit that pushed rows onto the next page; the window is walked then. Many in
// a row are the ERP's way.
func (r *reader) disordered() {
	if r.disorder++; r.disorder == maxDisorder {
		r.unordered = true
		r.log.Warn("the ERP does not give rows in the order of their modification; windows are halved instead, which takes more calls")
	}
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
