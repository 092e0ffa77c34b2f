package extractor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/logging"
	"juliu/pkg/record"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
)

// Journal is where records and their checkpoint are stored as one act.
type Journal interface {
	Checkpoint() *juliuv1.Checkpoint
	Commit(ctx context.Context, records []record.Record, next *juliuv1.Checkpoint) error
}

// Known is what is stored already of the rows that the ERP may show again.
type Known interface {
	Judge(r record.Record) stream.Judgement
	Add(records []record.Record)
	Forget(before time.Time)
}

// DeadLetters keeps the rows that cannot become records.
type DeadLetters interface {
	KeepRow(ctx context.Context, source, resource string, raw []byte, reason, class string) error
}

// Poller takes one resource from the ERP to the stream.
type Poller struct {
	cfg         Config
	resource    Resource
	reader      *reader
	journal     Journal
	known       Known
	deadLetters DeadLetters
	log         logrus.FieldLogger
	metrics     *metrics
	now         func() time.Time
	// slice is how long a window may be to be read in one go; it shrinks where orders are dense and grows where they are sparse.
	slice time.Duration
	// look is when the past was last read again.
	look lookBack
}

// Step reads and stores everything that has settled since the checkpoint, at most cfg.Window of it, and says whether it has caught up.
// It reads until intake ends and commits under work, so that a stop never leaves a commit unclear. An error leaves the checkpoint at
// the last slice stored; nothing is lost by calling Step again.
func (p *Poller) Step(intake, work context.Context) (bool, error) {
	// One time for the whole step: no slice of it is read earlier, so planWindow never believes that a change had more time to show
	// itself than it had.
	began, at := p.now().Add(-p.reader.ahead), p.position()
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
		p.adapt(len(rows), slice, read)
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
		p.look = lookBack{at: began, cheap: seen <= p.reader.size}
		p.metrics.lookedBack(began)
	}
	p.known.Forget(at.cursor.Add(-p.cfg.reach() - knownMargin))
	return p.now().Add(-p.reader.ahead).Sub(plan.End) < p.cfg.Settle+p.cfg.Interval, nil
}

// ErrFutureCursor means that the checkpoint lies after now: it was written under a clock that was ahead, or this one is behind.
var ErrFutureCursor error = refusal("compare the checkpoint with the clock: the checkpoint lies in the future; set this machine's clock by NTP, " +
	"and if the clock is right, read again from a safe time under another EXTRACTOR_SOURCE")

// position is where the journal's checkpoint stands, or the configured start.
func (p *Poller) position() position {
	c := p.journal.Checkpoint()
	if c == nil {
		return position{cursor: p.cfg.Start}
	}
	at := position{cursor: c.GetCursor().AsTime()}
	if c.GetReadAt() != nil {
		at.readAt = c.GetReadAt().AsTime()
	}
	return at
}

// adapt sets the next slice's length: what could be read in one go, twice that when it filled no third of a page. A window of one page is the
// best there is: one call reads it whole, and nothing can move meanwhile.
func (p *Poller) adapt(rows int, asked, read Window) {
	if read.End.Before(asked.End) {
		p.slice = read.span()
	}
	if rows*3 <= p.reader.size {
		p.slice = min(p.slice*2, p.cfg.Window)
	}
}

// store dead-letters what cannot be a record, drops what is stored already, and commits the rest with the checkpoint. The cursor moves
// only with the last commit of a slice.
func (p *Poller) store(ctx context.Context, rows []row, w Window, at position) error {
	records, err := p.decode(ctx, rows)
	if err != nil {
		return err
	}
	fresh := p.fresh(records)
	for {
		chunk := fresh[:min(len(fresh), stream.MaxRecords)]
		fresh = fresh[len(chunk):]
		next := p.checkpoint(w)
		if len(fresh) == 0 {
			next.Cursor, next.ReadAt = timestamppb.New(at.cursor), timestamppb.New(at.readAt)
		}
		if err := p.journal.Commit(ctx, chunk, next); err != nil {
			return fmt.Errorf("commit %d records of [%s, %s): %w", len(chunk), w.Begin.Format(time.RFC3339), w.End.Format(time.RFC3339), err)
		}
		p.known.Add(chunk)
		p.committed(chunk, w, next)
		if len(fresh) == 0 {
			return nil
		}
	}
}

// checkpoint is the next checkpoint with the cursor left where it stands.
func (p *Poller) checkpoint(w Window) *juliuv1.Checkpoint {
	at := p.position()
	c := &juliuv1.Checkpoint{
		Cursor:      timestamppb.New(at.cursor),
		WindowBegin: timestamppb.New(w.Begin),
		WindowEnd:   timestamppb.New(w.End),
		Version:     p.journal.Checkpoint().GetVersion(),
		Filter:      p.cfg.Filter.String(),
	}
	if !at.readAt.IsZero() {
		c.ReadAt = timestamppb.New(at.readAt)
	}
	return c
}

// decode turns rows into records, oldest version first. A row without identity goes to the dead letters by itself.
func (p *Poller) decode(ctx context.Context, rows []row) ([]record.Record, error) {
	records := make([]record.Record, 0, len(rows))
	for _, row := range rows {
		r, err := p.resource.Schema.Decode(p.cfg.Source, row.raw, row.fetchedAt)
		if errors.Is(err, record.ErrNoIdentity) {
			p.metrics.rejected.Inc()
			if err := p.deadLetters.KeepRow(ctx, p.cfg.Source, p.resource.Schema.Resource, row.raw, err.Error(), "no-identity"); err != nil {
				return nil, fmt.Errorf("dead-letter a row without identity: %w", err)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("decode a row: %w", err)
		}
		p.metrics.surprises.Add(float64(len(r.Surprises)))
		records = append(records, r)
	}
	slices.SortStableFunc(records, func(a, b record.Record) int {
		if c := a.Version.Compare(b.Version); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	return records, nil
}

// fresh are the records that are neither stored nor older than what is stored, each version once.
func (p *Poller) fresh(records []record.Record) []record.Record {
	var fresh []record.Record
	newest := map[string]record.Record{}
	for _, r := range records {
		switch p.known.Judge(r) {
		case stream.Equal:
			p.metrics.equal.Inc()
			continue
		case stream.Older:
			p.metrics.older.Inc()
			continue
		case stream.Fresh:
		}
		if n, ok := newest[r.Key]; ok {
			// Sorted already; but where some rows lack a ts, versions of different keys have no total order.
			if c := n.Version.Compare(r.Version); c > 0 || c == 0 && n.Hash == r.Hash {
				continue
			}
		}
		newest[r.Key] = r
		fresh = append(fresh, r)
	}
	return fresh
}

// committed counts a commit and logs it.
func (p *Poller) committed(records []record.Record, w Window, c *juliuv1.Checkpoint) {
	var newest time.Time
	if len(records) > 0 {
		newest = records[len(records)-1].Version.Modified
	}
	p.metrics.committed(len(records), newest, c.GetCursor().AsTime())
	p.log.WithFields(windowFields(w)).WithField(logging.Records, len(records)).Debug("committed")
}

func windowFields(w Window) logrus.Fields {
	return logrus.Fields{logging.WindowBegin: w.Begin.Format(time.RFC3339), logging.WindowEnd: w.End.Format(time.RFC3339)}
}
