package extractor

import (
	"context"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/jushuitan"
	juliuv1 "juliu/proto/juliu/v1"
)

// Poller is the live lane of one resource: it takes what changes in the ERP to the stream.
type Poller struct {
	cfg     Config
	reader  *reader
	writer  *writer
	log     logrus.FieldLogger
	metrics *metrics
	now     func() time.Time
	// slice is how long a window is asked for at once; it follows how dense the orders lie.
	slice time.Duration
	// look is when the past was last read again.
	look lookBack
	// current says that the last step ended at the edge of what has settled.
	current bool
}

// Run reads and stores until intake ends, and returns nil then, or the error that no waiting cures.
func (p *Poller) Run(intake, work context.Context) error {
	patience := patience{log: p.log, failures: p.metrics.failures, proven: p.metrics.proven.Load}
	for intake.Err() == nil {
		current, err := p.Step(intake, work)
		if intake.Err() != nil && !coded(err) {
			return nil
		}
		wait, err := patience.judge(err)
		if err != nil {
			return fmt.Errorf("extract %s: %w", p.reader.resource.Schema.Resource, err)
		}
		if current && wait == 0 {
			wait = p.cfg.Interval
		}
		pause(intake, wait)
	}
	return nil
}

// Step reads and stores what has settled since the checkpoint, and says whether it has caught up. It reads until intake ends and commits
// under work, so that a stop never leaves a commit unclear. An error leaves the checkpoint at the last slice stored; nothing is lost
// by calling Step again.
func (p *Poller) Step(intake, work context.Context) (bool, error) {
	step := p.stepWindow
	if p.cfg.Cursor == cursorTS {
		step = p.stepTS
	}
	current, err := step(intake, work)
	if err == nil {
		p.current = current
	}
	return current, err
}

// stepWindow goes on at most cfg.Window from the cursor.
func (p *Poller) stepWindow(intake, work context.Context) (bool, error) {
	// One time for the whole step: no slice of it is read earlier, so planWindow never believes that a change had more time to show
	// itself than it had.
	began, at := p.began(), p.position()
	if at.cursor.After(began.Add(maxSkew)) {
		return false, ErrFutureCursor
	}
	look := p.look.due(began, p.cfg)
	plan, ok := planWindow(at, began, look, p.cfg)
	if !ok {
		return true, nil
	}
	seen := 0
	for begin := plan.Begin; begin.Before(plan.End); {
		slice := Window{Begin: begin, End: plan.End}.first(p.slice)
		rows, read, err := p.reader.read(intake, slice)
		if err != nil {
			return false, err
		}
		p.slice = p.reader.nextSlice(p.slice, slice, read, len(rows), p.cfg.Window)
		if read.End.After(at.cursor) {
			at = position{cursor: read.End, readAt: began}
		}
		if err := p.store(work, rows, read, at); err != nil {
			return false, err
		}
		seen += len(rows)
		begin = read.End
	}
	if look {
		p.lookedBack(began, seen <= p.reader.size)
	}
	p.writer.forget(at.cursor.Add(-p.cfg.memory()), 0)
	return p.began().Sub(plan.End) < p.cfg.Settle+p.cfg.Interval, nil
}

// began is now by the ERP's clock, as far as ours was found to be ahead of it.
func (p *Poller) began() time.Time { return p.now().Add(-p.reader.ahead) }

// lookedBack notes a step that read the past again, and whether that cost no call more.
func (p *Poller) lookedBack(began time.Time, cheap bool) {
	p.look = lookBack{at: began, cheap: cheap}
	p.metrics.lookedBack(began)
}

// ErrFutureCursor means that the checkpoint lies after now: it was written under a clock that was ahead, or this one is behind.
var ErrFutureCursor error = refusal("compare the checkpoint with the clock: the checkpoint lies in the future; set this machine's clock by NTP, " +
	"and if the clock is right, read again from a safe time under another EXTRACTOR_SOURCE")

// position is where the checkpoint stands, or the configured start.
func (p *Poller) position() position { return positionOf(p.writer.checkpoint(), p.cfg.Start) }

func positionOf(c *juliuv1.Checkpoint, start time.Time) position {
	if c.GetCursor() == nil {
		return position{cursor: start}
	}
	at := position{cursor: c.GetCursor().AsTime()}
	if c.GetReadAt() != nil {
		at.readAt = c.GetReadAt().AsTime()
	}
	return at
}

// store hands a window's rows to the writer; the cursor moves with the last commit.
func (p *Poller) store(ctx context.Context, rows []row, w Window, at position) error {
	_, err := p.writer.store(ctx, haul{
		lane: jushuitan.Live, rows: rows, filter: p.cfg.Filter, window: w, fresh: p.current,
		next: func(c *juliuv1.Checkpoint) {
			c.Cursor, c.ReadAt = timestamppb.New(at.cursor), nil
			if !at.readAt.IsZero() {
				c.ReadAt = timestamppb.New(at.readAt)
			}
			c.Version, c.Marks = 0, nil // the walk by row version, should it come back, begins anew
		},
	})
	return err
}
