package extractor

import (
	"bytes"
	"context"
	"slices"

	"juliu/pkg/jushuitan"
)

// pass is one walk over a window's pages, from the last to the first.
type pass struct {
	reader *reader
	window Window
	// last is the highest page that has rows; 1 when the window is empty.
	last int
	// count is the newest data_count, and counted whether there was any.
	counted bool
	count   int
	// moved: the count changed between two calls.
	moved    bool
	rows     []row
	distinct map[string]struct{}
}

// find asks for page 1 to learn where the window ends, then reads its last page. A window of one page is thereby read whole.
func (p *pass) find(ctx context.Context) error {
	page, rows, err := p.reader.page(ctx, Ask{Window: p.window, Page: 1})
	if err != nil {
		return err
	}
	p.last = 1
	if !mayHaveMore(page, 1, p.reader.size) {
		p.keep(page, rows)
		return nil
	}
	p.note(page)
	p.last = max(2, pagesOf(page, p.reader.size))
	if p.deep() {
		return nil
	}
	return p.end(ctx)
}

// end reads the last page, which the counts may place too high or too low.
func (p *pass) end(ctx context.Context) error {
	var before [][]byte
	for full := 1; !p.deep(); { // full is a page that has rows
		page, rows, err := p.reader.page(ctx, Ask{Window: p.window, Page: p.last})
		switch {
		case err != nil:
			return err
		case len(page.Rows) == 0 && p.last > full+1: // too high: in half, or a wrong count would cost a call for each page below
			p.note(page)
			p.last = (full + p.last) / 2
		case !mayHaveMore(page, p.last, p.reader.size), slices.EqualFunc(before, page.Rows, bytes.Equal):
			p.keep(page, rows) // an ERP that repeats its last page for ever has no more either
			return nil
		default:
			// The counts were wrong or the window grew: the end lies higher. Only a walk that begins at the end misses nothing.
			p.note(page)
			before, full = page.Rows, p.last
			p.last++
		}
	}
	return nil
}

// deep says that the window should be halved before it is read.
func (p *pass) deep() bool { return p.last > maxPages && p.window.span() > minSpan }

// hopeless says that the window will be halved whatever else is read of it.
func (p *pass) hopeless() bool { return p.moved && p.window.span() > minSpan }

// walk reads the pages below the last one, down to page 1.
func (p *pass) walk(ctx context.Context) error {
	for index := p.last - 1; index >= 1 && !p.hopeless(); index-- {
		page, rows, err := p.reader.page(ctx, Ask{Window: p.window, Page: index})
		if err != nil {
			return err
		}
		p.keep(page, rows)
	}
	return nil
}

// settled says whether the pass saw everything: it read the window, the count stood still, and there are as many rows as it says.
func (p *pass) settled() bool { return !p.deep() && !p.moved && len(p.distinct) >= p.count }

func (p *pass) keep(page jushuitan.Page, rows []row) {
	p.note(page)
	p.rows = append(p.rows, rows...)
	for _, raw := range page.Rows {
		p.distinct[string(raw)] = struct{}{}
	}
}

// note remembers the vendor's count and whether it moved.
func (p *pass) note(page jushuitan.Page) {
	if page.DataCount == nil {
		return
	}
	if p.counted && *page.DataCount != p.count {
		p.moved = true
	}
	p.counted = true
	p.count = *page.DataCount
}

// mayHaveMore says whether rows may stand behind page index. The vendor's has_next, page_count and data_count are each known to be absent
// or wrong, so any of them that says so is believed, a full page says so by itself, and an empty page ends the walk.
func mayHaveMore(page jushuitan.Page, index, size int) bool {
	switch {
	case len(page.Rows) == 0:
		return false
	case len(page.Rows) >= pageSize(page, size), page.HasNext != nil && *page.HasNext:
		return true
	default:
		return pagesOf(page, size) > index
	}
}

// pagesOf is how many pages the vendor's counts speak of, the larger of the two; 0 when it names none.
func pagesOf(page jushuitan.Page, size int) int {
	pages := 0
	if page.PageCount != nil {
		pages = *page.PageCount
	}
	if page.DataCount != nil {
		size = pageSize(page, size)
		pages = max(pages, (*page.DataCount+size-1)/size)
	}
	return pages
}

// pageSize is the size that the vendor used, which may be smaller than the one asked for.
func pageSize(page jushuitan.Page, asked int) int {
	if page.Size > 0 {
		return min(page.Size, asked)
	}
	return asked
}
