package extractor

import (
	"context"

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
	for {
		page, rows, err := p.reader.page(ctx, Ask{Window: p.window, Page: p.last})
		if err != nil {
			return err
		}
		if !mayHaveMore(page, p.last, p.reader.size) {
			p.keep(page, rows)
			return nil
		}
		// The counts were wrong or the window grew: the end lies higher. Only a walk that begins at the end misses nothing.
		p.note(page)
		p.last++
	}
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
// or wrong, so any of them that says so is believed, and an empty page ends the walk.
func mayHaveMore(page jushuitan.Page, index, size int) bool {
	if len(page.Rows) == 0 {
		return false
	}
	counted := page.DataCount != nil || page.PageCount != nil
	switch {
	case page.HasNext != nil && *page.HasNext:
		return true
	case counted:
		return pagesOf(page, size) > index
	default:
		return len(page.Rows) >= pageSize(page, size)
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
