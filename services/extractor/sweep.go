package extractor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
	juliuv1 "juliu/proto/juliu/v1"
)

// sweepRetry is how long a sweep that failed waits before it goes on.
const sweepRetry = time.Minute

// maxNames is how many orders one call may ask for by number, the vendor's documented limit.
const maxNames = 50

// Sweeper reads the past again on a schedule (补漏), in quota that nobody else wants: it finds what showed later than any look back
// reaches, and what became of orders that no window shows any more.
type Sweeper struct {
	cfg     Config
	reader  *reader
	writer  *writer
	log     logrus.FieldLogger
	metrics *metrics
	now     func() time.Time

	// rest is what the sweep under way still has to read, began when it began, found and resolved what it found so far.
	rest            Window
	began           time.Time
	found, resolved int
}

// Run sweeps whenever a sweep is due, until intake ends. Trouble is logged, and the sweep goes on later; only an error that ends the
// extractor is returned.
func (s *Sweeper) Run(intake, work context.Context) error {
	for intake.Err() == nil {
		wait := s.wait()
		if wait == 0 {
			err := s.sweep(intake, work)
			switch {
			case intake.Err() != nil:
				return nil //nolint:nilerr // a stop was asked for, and the error is its echo
			case err != nil && final(err):
				return err
			case err != nil:
				s.log.WithError(err).WithField(logging.Wait, sweepRetry.String()).Warn("the sweep broke off; it goes on later")
				wait = sweepRetry
			}
		}
		pause(intake, wait)
	}
	return nil
}

// wait is how long until the next sweep is due.
func (s *Sweeper) wait() time.Duration {
	c := s.writer.checkpoint()
	if c.GetCursor() == nil {
		return s.cfg.Interval // nothing has been read yet
	}
	last := c.GetSweptAt()
	if last == nil {
		return 0
	}
	return min(max(0, last.AsTime().Add(s.cfg.SweepEvery).Sub(s.now())), s.cfg.SweepEvery) // a clock that was ahead delays no more than that
}

// sweep reads everything again that was modified within the span before the cursor. After an error it goes on where that broke it off.
func (s *Sweeper) sweep(intake, work context.Context) error {
	if s.rest.span() <= 0 {
		s.begin()
	}
	intake = jushuitan.WithLane(intake, jushuitan.Sweep)
	for s.rest.span() > 0 {
		rows, read, err := s.reader.read(intake, s.rest.first(s.cfg.Window))
		if err != nil {
			return err
		}
		late, err := s.writer.store(work, haul{lane: jushuitan.Sweep, rows: rows, filter: s.cfg.Filter, window: read, fresh: true})
		if err != nil {
			return err
		}
		back, err := s.resolve(intake, work, read, rows)
		if err != nil {
			return err
		}
		s.found, s.resolved = s.found+late, s.resolved+back
		s.rest.Begin = read.End
	}
	_, err := s.writer.store(work, haul{lane: jushuitan.Sweep, next: func(c *juliuv1.Checkpoint) { c.SweptAt = timestamppb.New(s.began) }})
	if err != nil {
		return err
	}
	s.writer.done(jushuitan.Sweep)
	s.tell()
	return nil
}

// begin sets out on a new sweep.
func (s *Sweeper) begin() {
	s.began, s.found, s.resolved = s.now(), 0, 0
	s.rest = s.writer.past(jushuitan.Sweep, s.cfg.SweepSpan)
}

// tell counts and logs what a sweep found.
func (s *Sweeper) tell() {
	s.metrics.sweeps.Inc()
	s.metrics.sweepFound.Add(float64(s.found))
	s.metrics.sweepResolved.Add(float64(s.resolved))
	log := s.log.WithFields(logrus.Fields{logging.Records: s.found, logging.Resolved: s.resolved})
	if s.found == 0 {
		log.Debug("swept")
		return
	}
	log.WithField(logging.Remedy, fmt.Sprintf("raise EXTRACTOR_OVERLAP, now %v, to find them sooner", s.cfg.Overlap)).
		Warn("the sweep found orders that showed later than the look back reaches")
}

// resolve asks for the orders that were stored as last modified within a window which does not show them any more: by number, then among the
// archived. It returns how many newer versions that stored.
func (s *Sweeper) resolve(intake, work context.Context, w Window, rows []row) (int, error) {
	missing := map[string]struct{}{}
	for _, key := range s.writer.stored(w) {
		missing[key] = struct{}{}
	}
	for _, row := range rows {
		delete(missing, row.Key)
	}
	stored := 0
	for _, archive := range []bool{false, true} {
		for keys := range slices.Chunk(slices.Sorted(maps.Keys(missing)), min(maxNames, s.reader.size)) {
			_, rows, err := s.reader.page(jushuitan.WithLane(intake, jushuitan.Repair), Ask{Keys: keys, Archive: archive, Page: 1})
			if err != nil && !errors.Is(err, ErrHollow) {
				return stored, err
			}
			for _, row := range rows {
				delete(missing, row.Key)
			}
			n, err := s.writer.store(work, haul{lane: jushuitan.Repair, rows: rows, filter: s.cfg.Filter})
			if err != nil {
				return stored, err
			}
			stored += n
		}
	}
	s.metrics.gone.Add(float64(len(missing)))
	return stored, nil
}
