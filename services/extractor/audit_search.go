package extractor

import (
	"context"
	"errors"
	"math/bits"
	"time"

	"juliu/pkg/audit"
	"juliu/pkg/jushuitan"
)

// examination compares one window of the ERP with what the stream holds, by counts first. Each call that counts also shows the first page of
// what it counts, so none is wasted: where the counts differ the page is compared row by row, and what lies behind it is counted next.
type examination struct {
	writer *writer
	reader *reader
	exact  bool
	// settled is when the last change has settled that the live lane must have stored by now.
	settled func() time.Time
	// cursor is how far the live lane is.
	cursor func() time.Time
	// edges is nil while it is not known, probed whether that was tried.
	edges  *edges
	probed bool

	// told are the keys that the report names already.
	told map[string]bool
	// window is the result, and found what is wrong with each key, with the row that cures it.
	window audit.Window
	found  map[string]finding
	// counted is how many orders the window has by the ERP's count; below 0 while that is not known.
	counted int64
	// nameless are rows without a number.
	nameless map[string]struct{}
	// archived are the orders of the window that only who asks for archived ones is shown, with when they were modified as held; hides is
	// whether the ERP keeps them apart at all, nil while that is not known.
	archived map[string]time.Time
	hides    *bool
	// unseen are keys that are held as modified where no row shows them.
	unseen []string
}

// finding is a key with which something is wrong.
type finding struct {
	kind audit.Kind
	// row is what the ERP shows of it.
	row row
}

// examine compares a window.
func (x *examination) examine(ctx context.Context, w Window) error {
	x.window = audit.Window{Begin: w.Begin, End: w.End, Stream: int64(x.writer.count(w.Begin, w.End))}
	x.found, x.nameless, x.unseen, x.counted = map[string]finding{}, map[string]struct{}{}, nil, -1
	x.archived = map[string]time.Time{}
	unshown := x.reader.unshown
	if x.exact {
		if err := x.readArchive(ctx, w); err != nil {
			return err
		}
	}
	search := x.search
	if x.reader.filter.Status != "" {
		search = x.searchChosen
	}
	if err := search(ctx, w); err != nil {
		return err
	}
	x.window.Nameless, x.window.Unshown = len(x.nameless), x.reader.unshown-unshown
	x.window.Overcounted = max(0, x.counted-x.window.ERP-int64(len(x.nameless)))
	x.window.ERP += int64(len(x.archived))
	return x.resolve(ctx, w)
}

// search compares a window by counts, and row by row where they differ.
func (x *examination) search(ctx context.Context, w Window) error {
	for w.span() > 0 {
		page, rows, err := x.reader.page(ctx, Ask{Window: w, Page: 1})
		if err != nil && !errors.Is(err, ErrHollow) {
			return err
		}
		var read Window
		if err == nil {
			done, half, err := x.sound(ctx, w, page, rows)
			switch {
			case err != nil || done:
				return err
			case half.span() > 0:
				x.compare(rows, Window{Begin: w.Begin, End: half.Begin})
				if err := x.search(ctx, half); err != nil {
					return err
				}
				w.Begin = half.End
				continue
			}
			if rows, read, err = x.reader.sought(ctx, w, page, rows); err != nil {
				return err
			}
		}
		if read.span() <= 0 {
			if rows, read, err = insistRead(ctx, x.reader, w); err != nil {
				return err
			}
		}
		x.compare(rows, read)
		w.Begin = read.End
	}
	return nil
}

// sound holds the count on a window's first page against what is held. It is done when they agree; else it may return the part of what lies
// behind the page to be searched first.
func (x *examination) sound(ctx context.Context, w Window, page jushuitan.Page, rows []row) (bool, Window, error) {
	off, known, err := x.off(ctx, w, page.DataCount)
	if err != nil || !known || x.exact {
		return false, Window{}, err
	}
	fine := x.fine(rows)
	if x.whole(w) {
		if off, err = x.account(ctx, w, page.ServerTime, off, fine); err != nil {
			return false, Window{}, err
		}
	}
	if off == 0 && fine {
		x.clean(w, rows)
		return true, Window{}, nil
	}
	half, _ := x.halve(w, *page.DataCount, off, rows)
	return false, half, nil
}

// whole says that a window is all that is examined.
func (x *examination) whole(w Window) bool {
	return w.Begin.Equal(x.window.Begin) && w.End.Equal(x.window.End)
}

// insistRead is reader.read, again for as long as the ERP counts rows in a second and does not show them and that is not believed; with the
// waits of the live lane, so that a few seconds of trouble are not taken for an empty second.
func insistRead(ctx context.Context, r *reader, w Window) ([]row, Window, error) {
	for wait := minWait; ; wait *= 2 {
		rows, read, err := r.read(ctx, w)
		if !errors.Is(err, ErrHollow) {
			return rows, read, err
		}
		pause(ctx, wait)
	}
}

// off is by how much the ERP counts more than the stream holds, below 0 less. It is not known where no count was given, or where orders stand
// on a second at the ends of which it is not known whether it is counted.
func (x *examination) off(ctx context.Context, w Window, count *int) (int, bool, error) {
	if count == nil {
		return 0, false, nil
	}
	held := x.count(w.Begin, w.End)
	off := *count - held // unless an order stands where the readings of the edges differ
	if held != x.count(w.Begin.Add(-edge), w.End.Add(edge)) {
		if x.exact {
			return 0, false, nil // the rows will tell
		}
		ok, err := x.knowEdges(ctx)
		if err != nil || !ok {
			return 0, false, err
		}
		off = *count - x.count(x.edges.bounds(w))
	}
	if x.counted < 0 {
		x.counted = int64(held + off)
	}
	return off, true, nil
}

// count is how many keys are held as modified within a span, without the archived ones that the ERP's count leaves out.
func (x *examination) count(begin, end time.Time) int {
	n := x.writer.count(begin, end)
	for _, at := range x.archived {
		if !at.Before(begin) && at.Before(end) {
			n--
		}
	}
	return n
}

// knowEdges probes once.
func (x *examination) knowEdges(ctx context.Context) (bool, error) {
	if x.edges == nil && !x.probed {
		var err error
		if x.edges, err = x.probe(ctx, Window{Begin: x.window.Begin.Add(5 * edge), End: x.window.End.Add(-5 * edge)}); err != nil {
			return false, err
		}
		x.probed = true
	}
	return x.edges != nil, nil
}

// halve parts what lies behind a page when there is much of it and little to be found: its first half is [Begin, End) of the result. A
// difference is found by halving with as many calls as halvings; where there are many differences every page is read in the end, and
// halving would only leave pages half empty.
func (x *examination) halve(w Window, count, off int, rows []row) (Window, bool) {
	const few = 4 // pages
	pages := max(count, count-off) / x.reader.size
	if pages < few || max(off, -off, 1)*bits.Len(uint(pages)) >= pages {
		return Window{}, false
	}
	begin, ordered := ascending(rows, w, w.Begin)
	rest := Window{Begin: begin, End: w.End}
	if !ordered || begin.Before(w.Begin) || rest.span() < 2*minSpan {
		return Window{}, false
	}
	return rest.half(), true
}

// clean notes a window whose counts agree.
func (x *examination) clean(w Window, rows []row) {
	held := int64(x.count(w.Begin, w.End))
	x.window.ERP += held
	x.window.Compared += within(rows, w)
	x.window.Counted = x.window.Counted || int64(len(rows)) < held
}

// fine says that nothing is wrong with any of the rows.
func (x *examination) fine(rows []row) bool {
	for _, row := range rows {
		if row.err == nil && x.judge(row) != "" {
			return false
		}
	}
	return true
}

// judge is what is wrong with what is held of a row; nothing is with one that is not wanted.
func (x *examination) judge(row row) audit.Kind {
	held := x.writer.holds(row.Key)
	if held == nil && !x.wanted(row) {
		return ""
	}
	return audit.Judge(audit.EntryOf(row.Record), held)
}

func (x *examination) wanted(row row) bool {
	return x.reader.filter.wants(x.writer.resource.Status(row.Record))
}

// compare compares all rows of a window that was read whole; rows beyond it are compared with theirs.
func (x *examination) compare(rows []row, w Window) {
	shown := map[string]bool{}
	for _, row := range rows {
		at := row.Version.Modified
		switch {
		case row.err != nil:
			x.nameless[string(row.Raw)] = struct{}{}
			continue
		case shown[row.Key]:
			continue
		}
		shown[row.Key] = true
		if !at.IsZero() && (at.Before(w.Begin) || !at.Before(w.End)) {
			continue
		}
		x.window.Compared++
		if x.wanted(row) || x.writer.holds(row.Key) != nil {
			x.window.ERP++
		}
		x.note(row)
	}
	for _, key := range x.writer.within(w) {
		if _, archived := x.archived[key]; !shown[key] && !archived {
			x.unseen = append(x.unseen, key)
		}
	}
}

// note remembers what is wrong with a row.
func (x *examination) note(row row) {
	if kind := x.judge(row); kind != "" {
		x.found[row.Key] = finding{kind: kind, row: row}
	}
}
