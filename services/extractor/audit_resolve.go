package extractor

import (
	"context"
	"errors"
	"maps"
	"slices"

	"juliu/pkg/audit"
	"juliu/pkg/jushuitan"
	"juliu/pkg/record"
)

// searchChosen compares a window of a source that stores orders of some statuses only: those are counted, one call a status, which also shows
// their first page; where something differs all rows are read.
func (x *examination) searchChosen(ctx context.Context, w Window) error {
	for w.span() > 0 {
		part := w
		if !x.exact {
			count, rows, err := x.countChosen(ctx, w)
			if err != nil {
				return err
			}
			fine := x.fine(rows)
			off, known, err := x.off(ctx, w, count)
			if err == nil && known && x.whole(w) {
				off, err = x.account(ctx, w, x.reader.now(), off, fine)
			}
			switch {
			case err != nil:
				return err
			case known && off == 0 && fine:
				x.clean(w, rows)
				return nil
			case known:
				if half, ok := x.halve(w, *count, off, nil); ok {
					if err := x.searchChosen(ctx, half); err != nil {
						return err
					}
					w.Begin = half.End
					continue
				}
			}
		}
		for part.span() > 0 {
			rows, read, err := insistRead(ctx, x.reader, part)
			if err != nil {
				return err
			}
			x.compare(rows, read)
			part.Begin = read.End
		}
		return nil
	}
	return nil
}

// countChosen is how many orders the ERP has of the statuses that are stored, nil when it does not say, and the first page of each.
func (x *examination) countChosen(ctx context.Context, w Window) (*int, []row, error) {
	var shown []row
	sum := 0
	for _, status := range Statuses() {
		if status == allStatuses || !x.reader.filter.wants(status) {
			continue
		}
		page, rows, err := x.reader.page(ctx, Ask{Window: w, Status: status, Page: 1})
		switch {
		case errors.Is(err, ErrHollow), err == nil && page.DataCount == nil:
			return nil, nil, nil
		case err != nil:
			return nil, nil, err
		}
		sum, shown = sum+*page.DataCount, append(shown, rows...)
	}
	return &sum, shown, nil
}

// resolve asks by number for the orders that are held as modified within the window, and that no row of it shows: they were modified again,
// archived, or are gone.
func (x *examination) resolve(ctx context.Context, w Window) error {
	unseen := map[string]struct{}{}
	for _, key := range x.unseen {
		unseen[key] = struct{}{}
	}
	ctx = jushuitan.WithLane(ctx, jushuitan.Repair)
	for _, archive := range []bool{false, true} {
		for keys := range slices.Chunk(slices.Sorted(maps.Keys(unseen)), min(maxNames, x.reader.size)) {
			_, rows, err := x.reader.page(ctx, Ask{Keys: keys, Archive: archive, Page: 1})
			if err != nil && !errors.Is(err, ErrHollow) {
				return err
			}
			for _, row := range rows {
				if _, ok := unseen[row.Key]; ok && row.err == nil {
					delete(unseen, row.Key)
					x.showed(row, w)
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(unseen)) {
		held := x.writer.holds(key)
		if held == nil || !inside(held.Version, w) {
			x.window.Moved++ // the live lane has read meanwhile what became of it
			continue
		}
		x.found[key] = finding{kind: audit.Extra, row: row{Record: record.Record{Key: key, Version: held.Version}}}
	}
	return nil
}

// showed notes an order that only its number shows.
func (x *examination) showed(row row, w Window) {
	switch held := x.writer.holds(row.Key); {
	case x.judge(row) == "" && held != nil && inside(held.Version, w):
		x.window.Hidden++
	case x.judge(row) == "", !row.Version.Modified.Before(x.settled()):
		x.window.Moved++
	default:
		x.note(row)
	}
}

func inside(v record.Version, w Window) bool {
	return !v.Modified.Before(w.Begin) && v.Modified.Before(w.End)
}
