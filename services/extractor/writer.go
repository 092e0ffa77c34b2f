package extractor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/failpoint"
	"juliu/pkg/jushuitan"
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

// DeadLetters keeps the rows that cannot become records.
type DeadLetters interface {
	KeepRow(ctx context.Context, source, resource string, raw []byte, reason, class string) error
}

// writer is the one way of a resource's rows onto the stream, whichever lane read them: it dead-letters what cannot be a record, drops
// what is stored already, and commits the rest with a checkpoint. It is safe for concurrent use.
type writer struct {
	source   string
	resource Resource
	// filter and start are what the live lane reads; the first checkpoint of a source names them.
	filter      Filter
	start       time.Time
	load        func(ctx context.Context, since time.Time) (*stream.Known, error)
	reload      func(ctx context.Context, shop string, since time.Time) (*stream.Known, error)
	deadLetters DeadLetters
	log         logrus.FieldLogger
	metrics     *metrics

	mu      sync.Mutex // guards everything below; a commit takes milliseconds
	journal Journal
	known   *stream.Known
	// floors are how far back lanes beside the live one need the known rows.
	floors map[jushuitan.Lane]time.Time
	// held is what a pass over the stream found while an audit runs, kept up to date; nil without one. heldShop is the shop that it is of.
	held     *stream.Known
	heldShop string
}

// haul is what a lane brings: rows, the window that they are from, and what the checkpoint becomes when all of them are stored.
type haul struct {
	lane   jushuitan.Lane
	rows   []row
	filter Filter
	window Window
	// next changes the checkpoint with the last commit; nil leaves the cursor where it stands.
	next func(c *juliuv1.Checkpoint)
	// fresh says that the rows could have been seen as soon as they settled, so that the time until now is their lateness.
	fresh bool
	// anew judges by what an audit's pass found on the stream, not by what is remembered: records may have been deleted since.
	anew bool
}

// checkpoint is the last one; nil before the source's first commit. The caller must not change it.
func (w *writer) checkpoint() *juliuv1.Checkpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.journal.Checkpoint()
}

// store puts what is new of a haul on the stream and returns how many records that were. The checkpoint changes only with the last commit.
// A haul without new rows is committed too when it changes the checkpoint.
func (w *writer) store(ctx context.Context, h haul) (int, error) {
	records, err := w.records(ctx, h)
	if err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fresh := w.fresh(records, h)
	stored := len(fresh)
	for len(fresh) > 0 || h.next != nil {
		chunk := fresh[:min(len(fresh), stream.MaxRecords)]
		fresh = fresh[len(chunk):]
		if err := w.commit(ctx, chunk, len(fresh) == 0, h); err != nil {
			return 0, err
		}
		if len(fresh) == 0 {
			break
		}
	}
	return stored, nil
}

// commit stores one chunk; the last one of a haul changes the checkpoint.
func (w *writer) commit(ctx context.Context, chunk []record.Record, last bool, h haul) error {
	next := &juliuv1.Checkpoint{Cursor: timestamppb.New(w.start), Start: timestamppb.New(w.start)}
	if c := w.journal.Checkpoint(); c != nil {
		next = proto.CloneOf(c)
	}
	next.Filter = w.filter.String()
	next.WindowBegin, next.WindowEnd = nil, nil
	if h.window.span() > 0 {
		next.WindowBegin, next.WindowEnd = timestamppb.New(h.window.Begin), timestamppb.New(h.window.End)
	}
	if last && h.next != nil {
		h.next(next)
	}
	if err := w.journal.Commit(ctx, chunk, next); err != nil {
		return fmt.Errorf("commit %d records of the %v lane: %w", len(chunk), h.lane, err)
	}
	failpoint.Hit("haul-committed")
	w.known.Add(chunk)
	w.hear(chunk)
	var newest time.Time
	if len(chunk) > 0 {
		newest = chunk[len(chunk)-1].Version.Modified
	}
	w.metrics.committed(len(chunk), newest, next.GetCursor().AsTime())
	w.log.WithFields(windowFields(h.window)).WithFields(logrus.Fields{logging.Records: len(chunk), logging.Lane: h.lane.String()}).Debug("committed")
	return nil
}

// records are the rows that can be records, oldest version first. One without identity goes to the dead letters by itself.
func (w *writer) records(ctx context.Context, h haul) ([]record.Record, error) {
	records := make([]record.Record, 0, len(h.rows))
	for _, row := range h.rows {
		if row.err == nil {
			w.metrics.surprises.Add(float64(len(row.Surprises)))
			records = append(records, row.Record)
			continue
		}
		if !errors.Is(row.err, record.ErrNoIdentity) {
			return nil, fmt.Errorf("decode a row: %w", row.err)
		}
		w.metrics.rejected.Inc()
		if err := w.deadLetters.KeepRow(ctx, w.source, w.resource.Schema.Resource, row.Raw, row.err.Error(), "no-identity"); err != nil {
			return nil, fmt.Errorf("dead-letter a row without identity: %w", err)
		}
	}
	slices.SortStableFunc(records, func(a, b record.Record) int {
		if c := a.Version.Compare(b.Version); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	return records, nil
}

// fresh are the records that are neither stored nor older than what is stored, each version once. An order that the filter does not want
// yet is left out, unless it is on the stream: its life goes on there.
func (w *writer) fresh(records []record.Record, h haul) []record.Record {
	var fresh []record.Record
	newest := map[string]record.Record{}
	known := w.known
	if h.anew && w.held != nil {
		known = w.held
	}
	for _, r := range records {
		if !h.filter.wants(w.resource.Status(r)) && !known.Has(r.Key) {
			w.metrics.unwanted.Inc()
			continue
		}
		switch known.Judge(r) {
		case stream.Equal:
			w.metrics.equal.Inc()
			continue
		case stream.Older:
			w.metrics.older.Inc()
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
		if h.fresh && !r.Version.Modified.IsZero() {
			w.metrics.lateness.WithLabelValues(h.lane.String()).Observe(r.FetchedAt.Sub(r.Version.Modified).Seconds())
		}
	}
	return fresh
}
