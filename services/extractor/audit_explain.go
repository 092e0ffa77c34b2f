package extractor

import (
	"context"
	"errors"
	"time"

	"juliu/pkg/jushuitan"
)

// explain looks for why the ERP counts less than is held, before rows are read for it: orders that were modified again just before the ERP
// counted leave their window there at once, and on the stream when the live lane has read them; and archived ones may be shown only to who
// asks for them. It returns how many less are left.
func (x *examination) explain(ctx context.Context, w Window, page jushuitan.Page, off int) (int, error) {
	if moved, err := x.moved(ctx, w, page.ServerTime); err != nil || off+moved == 0 {
		x.window.Moved += moved
		return off + moved, err
	}
	shown, rows, err := x.reader.page(ctx, Ask{Window: w, Archive: true, Page: 1})
	switch {
	case errors.Is(err, ErrHollow):
		return off, nil
	case err != nil:
		return off, err
	case shown.DataCount != nil && off+*shown.DataCount == 0 && x.fine(rows):
		x.window.Hidden += *shown.DataCount
		return 0, nil
	}
	return off, nil
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
