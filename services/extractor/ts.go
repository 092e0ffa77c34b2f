package extractor

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/jushuitan"
	juliuv1 "juliu/proto/juliu/v1"
)

// marksInReach is how many marks are kept of the time that a look back reaches over.
const marksInReach = 8

// ErrStuck means that the ERP answers a walk by row version with rows that are not newer than what was asked for: going on would never end.
var ErrStuck error = refusal("walk by row version: the ERP gives rows whose ts is not above start_ts, so the walk cannot advance; " +
	"set EXTRACTOR_CURSOR=window, which continues without a gap")

// ErrNoTS means that the rows carry no row version to walk by.
var ErrNoTS error = refusal("walk by row version: the ERP's rows carry no ts; set EXTRACTOR_CURSOR=window, which continues without a gap")

// stepTS goes on from the checkpoint's row version, always by page 1, until a page is not full. Row versions grow with every change, so rows
// that move meanwhile only come again further on. But they are given before a transaction commits, so one can show below a version already
// passed: that is what marks and looking back are for, as overlap is for windows.
//
// A source that has no row version yet is read by windows until it has caught up and a version is known from before any change that may
// still show late; the walk begins there.
func (p *Poller) stepTS(intake, work context.Context) (bool, error) {
	c := p.writer.checkpoint()
	walk := tsWalk{poller: p, began: p.began(), at: c.GetVersion(), marks: c.GetMarks()}
	if walk.at == 0 {
		current, err := p.stepWindow(intake, work)
		if err != nil || !current {
			return current, err
		}
		if ok := walk.begin(p.position().cursor); !ok {
			return true, nil
		}
		p.log.Info("caught up; going on by row version")
	}
	look := p.look.due(walk.began, p.cfg)
	from := walk.at
	if look {
		from = walk.markBefore(walk.began.Add(-p.cfg.reach()))
	}
	seen, err := walk.run(intake, work, from)
	if err != nil {
		return false, err
	}
	if look {
		p.lookedBack(walk.began, seen <= p.reader.size)
	}
	p.writer.forget(p.position().cursor.Add(-p.cfg.memory()), oldestMark(p.writer.checkpoint()))
	return true, nil
}

// tsWalk is one walk by row version.
type tsWalk struct {
	poller *Poller
	began  time.Time
	at     int64
	marks  []*juliuv1.Mark
}

// begin sets out from the windows that were read up to the cursor: from a version that was given before any change that may still show late.
func (w *tsWalk) begin(cursor time.Time) bool {
	past := cursor.Add(-w.poller.cfg.reach())
	w.at = w.poller.writer.tsBefore(past)
	w.marks = []*juliuv1.Mark{{Version: w.at, ReadAt: timestamppb.New(past)}}
	return w.at != 0
}

// markBefore is where the walk stood at a time, the version to look back to. Older marks are dropped.
func (w *tsWalk) markBefore(t time.Time) int64 {
	for len(w.marks) > 1 && !w.marks[1].GetReadAt().AsTime().After(t) {
		w.marks = w.marks[1:]
	}
	if len(w.marks) == 0 {
		return w.at
	}
	return w.marks[0].GetVersion()
}

// oldestMark is the row version from which rows may be shown again; 0 while windows are read.
func oldestMark(c *juliuv1.Checkpoint) int64 {
	if len(c.GetMarks()) == 0 {
		return 0
	}
	return c.GetMarks()[0].GetVersion()
}

// mark notes where the walk stands now, unless it did so a moment ago.
func (w *tsWalk) mark() {
	now := w.poller.began()
	last := w.marks[max(0, len(w.marks)-1):]
	if len(last) == 0 || now.Sub(last[0].GetReadAt().AsTime()) >= w.poller.cfg.reach()/marksInReach {
		w.marks = append(slices.Clone(w.marks), &juliuv1.Mark{Version: w.at, ReadAt: timestamppb.New(now)})
	}
}

// run reads from a version to the end, stores, and moves the checkpoint. It returns how many rows it saw.
func (w *tsWalk) run(intake, work context.Context, from int64) (int, error) {
	p := w.poller
	for seen := 0; ; {
		page, rows, err := p.reader.page(intake, Ask{StartTS: from, Page: 1})
		if err != nil {
			return seen, err
		}
		seen += len(rows)
		highest, err := w.highest(rows, from)
		if err != nil {
			return seen, err
		}
		more := len(rows) >= pageSize(page, p.reader.size) || page.HasNext != nil && *page.HasNext && len(rows) > 0
		if more && highest == from {
			return seen, ErrStuck
		}
		end := !more
		if err := w.store(work, rows, max(w.at, highest), end); err != nil || end {
			return seen, err
		}
		from = highest
	}
}

// highest is the highest row version of a page, the version asked for when the page has nothing above it. Whether start_ts itself is
// included is not documented; its own row is known, and dropped like every equal one.
func (w *tsWalk) highest(rows []row, from int64) (int64, error) {
	highest, versioned := from, 0
	for _, row := range rows {
		switch {
		case row.Version.TS == 0:
			continue
		case row.Version.TS < from:
			return 0, ErrStuck
		}
		versioned++
		highest = max(highest, row.Version.TS)
	}
	switch {
	case versioned == 0 && slices.ContainsFunc(rows, func(r row) bool { return r.err == nil }):
		return 0, ErrNoTS
	case versioned > 1 && highest == from:
		return 0, ErrStuck
	}
	return highest, nil
}

// store commits a page; at the end of the walk everything that was visible when it began has been read, so the cursor moves too, for who
// goes back to windows.
func (w *tsWalk) store(ctx context.Context, rows []row, at int64, end bool) error {
	p := w.poller
	w.at = at
	if end {
		w.mark()
	}
	_, err := p.writer.store(ctx, haul{
		lane: jushuitan.Live, rows: rows, filter: p.cfg.Filter, fresh: p.current,
		next: func(c *juliuv1.Checkpoint) {
			c.Version, c.Marks = at, w.marks
			cursor := w.began.Add(-p.cfg.Settle).Truncate(time.Second)
			if end && cursor.After(c.GetCursor().AsTime()) {
				c.Cursor, c.ReadAt = timestamppb.New(cursor), timestamppb.New(w.began)
			}
		},
	})
	return err
}
