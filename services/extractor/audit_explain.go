package extractor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// account says by how much a window's count is off when that is left out which is no difference: archived orders that the ERP counts only
// for who asks for them, and orders that were modified again just before the ERP counted: those leave their window there at once, and on the
// stream when the live lane has read them. Where something is off all the same, the archived orders are read and compared first, so
// that they cannot hide what is missing.
func (x *examination) account(ctx context.Context, w Window, counted time.Time, off int, fine bool) (int, error) {
	archived, archivedFine, err := x.countArchived(ctx, w)
	if err != nil {
		return off, err
	}
	moved := 0
	if off+archived < 0 {
		if moved, err = x.moved(ctx, w, counted); err != nil {
			return off, err
		}
		off += moved
	}
	if off+archived == 0 && fine && archivedFine {
		x.window.Hidden += archived
		x.window.Moved += moved
		return 0, nil
	}
	if archived == 0 {
		return off, nil
	}
	before := x.count(w.Begin, w.End)
	err = x.readArchive(ctx, w)
	return off + before - x.count(w.Begin, w.End), err
}

// countArchived is how many orders of a window the ERP shows only to who asks for archived ones, and whether nothing is wrong with the first of
// them.
func (x *examination) countArchived(ctx context.Context, w Window) (int, bool, error) {
	if x.hides != nil && !*x.hides {
		return 0, true, nil
	}
	page, rows, err := x.reader.page(ctx, Ask{Window: w, Archive: true, Page: 1})
	if err != nil || page.DataCount == nil || *page.DataCount == 0 {
		if errors.Is(err, ErrHollow) {
			err = nil
		}
		return 0, true, err
	}
	shown := map[string]row{}
	for _, row := range rows {
		shown[row.Key] = row
	}
	if apart, err := x.apart(ctx, shown); err != nil || !apart {
		return 0, true, err
	}
	return *page.DataCount, x.fine(rows), nil
}

// readArchive compares the archived orders of a window, where the ERP keeps them apart.
func (x *examination) readArchive(ctx context.Context, w Window) error {
	if x.hides != nil && !*x.hides {
		return nil
	}
	r := *x.reader
	r.archive = true
	shown := map[string]row{}
	for part := w; part.span() > 0; {
		rows, read, err := insistRead(ctx, &r, part)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.err == nil && inside(row.Version, w) {
				shown[row.Key] = row
			}
		}
		part.Begin = read.End
	}
	x.reader.calls, x.reader.unshown = r.calls, r.unshown
	if apart, err := x.apart(ctx, shown); err != nil || !apart {
		return err
	}
	for key, row := range shown {
		held := x.writer.holds(key)
		if held == nil && !x.wanted(row) {
			continue
		}
		x.archived[key] = time.Time{} // what is not held, no count of what is held takes in
		if held != nil {
			x.archived[key] = held.Version.Modified
		}
		x.window.Compared++
		x.window.Hidden++
		x.note(row)
	}
	return nil
}

// apart says whether the ERP shows archived orders to nobody who does not ask for them. One page of them tells.
func (x *examination) apart(ctx context.Context, archived map[string]row) (bool, error) {
	if x.hides != nil || len(archived) == 0 {
		return len(archived) > 0, nil
	}
	keys := slices.Sorted(maps.Keys(archived))
	_, rows, err := x.reader.page(ctx, Ask{Keys: keys[:min(len(keys), maxNames, x.reader.size)], Page: 1})
	if err != nil && !errors.Is(err, ErrHollow) {
		return false, err
	}
	hides := len(rows) == 0
	x.hides = &hides
	return hides, nil
}

// maxCatchUp is how long an audit waits for the live lane to read what was modified just now. Where that takes longer the rows are read.
const maxCatchUp = 3 * time.Minute

// moved is how many orders had left a window when the ERP counted it, and left it on the stream only since.
func (x *examination) moved(ctx context.Context, w Window, counted time.Time) (int, error) {
	before := x.writer.within(w)
	if counted.IsZero() {
		counted = x.reader.now()
	}
	for tries := 0; x.cursor().Before(counted.Add(dateStep)); tries++ {
		if tries == int(maxCatchUp/time.Second) {
			return 0, nil
		}
		if pause(ctx, time.Second); ctx.Err() != nil {
			return 0, ctx.Err() //nolint:wrapcheck // a stop was asked for
		}
	}
	moved := 0
	for _, key := range before {
		if held := x.writer.holds(key); held != nil && !inside(held.Version, w) && !held.Version.Modified.After(counted) {
			moved++
		}
	}
	return moved, nil
}
