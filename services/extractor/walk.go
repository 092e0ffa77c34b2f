package extractor

import (
	"context"
	"maps"
	"time"

	"juliu/pkg/logging"
)

const (
	// maxPages is how many pages one walk may have: 20 pages of 50 rows fill one atomic batch, and deep pages are slow at the vendor.
	maxPages = 20
	// maxPasses is how often a window that cannot be halved to any use is read.
	maxPasses = 3
	// minSpan is the shortest window; the vendor's query times have whole seconds.
	minSpan = time.Second
)

// walk reads a window page by page, where seek cannot: more rows in a second than a page holds, or an ERP that orders rows otherwise. It
// returns all rows of w, or of its first part when w is deep or restless, and the window that it read.
//
// Pages are read from the last to the first. A row that is changed meanwhile leaves the window, and those behind it slide towards the
// front, onto pages still to be read: they are seen twice, never missed (a walk from the first page misses them). Rows that enter
// (late commits) slide others the other way, and the order of equal times may change: so a pass whose count moved proves nothing, and
// the window is halved, down to a single page, which one call reads whole.
func (r *reader) walk(ctx context.Context, w Window) ([]row, Window, error) {
	if !r.unordered && r.disorder == 0 {
		w = w.first(minSpan) // seek found no more than that too long for a page
	}
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
