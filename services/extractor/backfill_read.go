package extractor

import (
	"context"
	"slices"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
)

// ask is the reader of a job, on its own lane.
func (b *Backfiller) ask(spec Backfill) *reader {
	r := b.newReader()
	r.filter, r.archive = b.cfg.Filter, spec.Archive
	if spec.ShopID != nil {
		r.filter.ShopID, r.filter.OfflineShops = spec.ShopID, false
	}
	if spec.Status != "" {
		r.filter.Status = spec.Status
	}
	if r.filter.Status == allStatuses {
		r.filter.Status = ""
	}
	return r
}

// window is the part of a job's window that has settled, from where the job stands.
func (b *Backfiller) window(spec Backfill, p control.Progress) Window {
	w := Window{Begin: spec.From.Truncate(time.Second), End: spec.To.Add(time.Second - 1).Truncate(time.Second)}
	if p.Cursor.After(w.Begin) {
		w.Begin = p.Cursor
	}
	if settled := b.now().Add(-b.cfg.Settle).Truncate(time.Second); w.End.After(settled) {
		w.End = settled
	}
	return w
}

// named reads orders by number and stores what is new of them. It begins anew after a restart; what is stored is not stored again.
func (b *Backfiller) named(intake, work context.Context, job control.Job, spec Backfill) error {
	r, p := b.ask(spec), control.Progress{}
	for names := range slices.Chunk(spec.SoIDs, maxNames) {
		var rows []row
		for index := 1; ; index++ {
			page, more, err := r.page(intake, Ask{SoIDs: names, Page: index})
			if err != nil {
				return err
			}
			rows = append(rows, more...)
			if !mayHaveMore(page, index, r.size) || index == maxPages {
				break
			}
		}
		if err := b.writer.cover(intake, jushuitan.Backfill, oldest(rows, b.now()).Add(-clockMargin)); err != nil {
			return err
		}
		stored, err := b.writer.store(work, haul{lane: jushuitan.Backfill, rows: rows, filter: r.filter})
		if err != nil {
			return err
		}
		p.Rows, p.Stored, p.Calls = p.Rows+int64(len(rows)), p.Stored+int64(stored), int64(r.calls)
		if err := b.progress(work, job.ID, p, false); err != nil {
			return err
		}
	}
	return b.progress(work, job.ID, p, true)
}

// oldest is when the first of the rows was modified, at the earliest.
func oldest(rows []row, now time.Time) time.Time {
	first := now
	for _, row := range rows {
		at := row.Version.Modified
		if at.IsZero() {
			return time.Unix(0, 0) // it does not say
		}
		if at.Before(first) {
			first = at
		}
	}
	return first
}

// windows reads a job's window to its end and stores what is new of it, from the newest checkpoint of the job on.
func (b *Backfiller) windows(intake, work context.Context, job control.Job, spec Backfill) error {
	pause(intake, spec.To.Add(b.cfg.Settle).Sub(b.now())) // until all of the window has settled
	r, p, w := b.ask(spec), job.Progress, b.window(spec, job.Progress)
	if b.hollowJob == job.ID {
		r.hollows = b.hollows
	}
	defer func() { b.hollows, b.hollowJob = r.hollows, job.ID }()
	if err := b.writer.cover(intake, jushuitan.Backfill, w.Begin.Add(-clockMargin)); err != nil {
		return err
	}
	pace := pace{began: b.now(), rows: p.Rows, calls: p.Calls}
	slice := b.cfg.Window
	for w.span() > 0 {
		asked := w.first(slice)
		rows, read, err := r.read(intake, asked)
		if err != nil {
			return err
		}
		slice = r.nextSlice(slice, asked, read, len(rows), b.cfg.Window)
		stored, err := b.writer.store(work, haul{lane: jushuitan.Backfill, rows: rows, filter: r.filter, window: read})
		if err != nil {
			return err
		}
		w.Begin = read.End
		p.Cursor, p.Rows, p.Stored = read.End, p.Rows+within(rows, read), p.Stored+int64(stored)
		p.Calls = pace.calls + int64(r.calls)
		p.Remaining = pace.remaining(b.now(), p, job.Plan)
		end := w.span() <= 0
		if err := b.progress(work, job.ID, p, end); err != nil || end {
			return err
		}
	}
	return b.progress(work, job.ID, p, true)
}

// within counts the rows of a window, which is read a little beyond its ends.
func within(rows []row, w Window) int64 {
	n := int64(0)
	for _, row := range rows {
		if at := row.Version.Modified; !at.Before(w.Begin) && at.Before(w.End) {
			n++
		}
	}
	return n
}
