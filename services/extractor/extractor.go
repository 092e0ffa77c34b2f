// Package extractor takes orders from the ERP to the stream: it plans a window of modification time, reads its pages while they move,
// drops what is stored already, and commits the rest together with the checkpoint in one fenced act.
//
// It promises that every order version which a complete read of a window showed is on the stream before the checkpoint moves past
// that window, that for one order the stream never goes back to an older version, and that an equal row is stored once. Two extractors
// of one source cannot both write: the server refuses the second, which ends with exit code 3.
package extractor

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
	"juliu/pkg/process"
	"juliu/pkg/stream"
)

// Deps is what an Extractor works with.
type Deps struct {
	ERP        ERP
	Stream     *stream.Conn
	Log        logrus.FieldLogger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Extractor polls the resources of one source.
type Extractor struct {
	deps    Deps
	cfg     Config
	metrics *metrics
}

// New returns an Extractor that does nothing before Run.
func New(deps Deps, cfg Config) (*Extractor, error) {
	m, err := newMetrics(deps.Registerer)
	if err != nil {
		return nil, err
	}
	return &Extractor{deps: deps, cfg: cfg, metrics: m}, nil
}

// refusal is an error of settings or state that only the operator can decide.
type refusal string

func (r refusal) Error() string { return string(r) }

// ExitCode is process.ExitUsage.
func (refusal) ExitCode() int { return process.ExitUsage }

// ErrNoStart means that neither a checkpoint nor EXTRACTOR_START says where to begin. Beginning at "now" would lose the past silently.
var ErrNoStart error = refusal("choose where to begin: the stream holds no checkpoint of this source and EXTRACTOR_START is not set; " +
	"set it to a time (2026-01-31T00:00:00+08:00) or to how far back to begin (720h)")

// ErrFilterChanged means that the source was read under another status or shop so far. Going on would leave out, without a sign, what the
// old choice did not show before the cursor.
var ErrFilterChanged error = refusal("compare the filter with the checkpoint's: EXTRACTOR_STATUS, EXTRACTOR_SHOP_ID or EXTRACTOR_OFFLINE_SHOPS changed; " +
	"set them back, or read the new choice under another EXTRACTOR_SOURCE")

// Run reads and stores until intake ends, and returns nil then. A commit in hand is finished under work. It returns an error that no
// waiting cures: stream.ErrFenced, ErrNoStart, a *stream.PermissionError, or what the ERP refuses for good.
func (e *Extractor) Run(intake, work context.Context) error {
	pollers := make([]*Poller, 0, 1)
	for _, resource := range Resources() {
		p, err := e.open(work, resource)
		if err != nil {
			return err
		}
		pollers = append(pollers, p)
	}
	patience := patience{log: e.deps.Log, failures: e.metrics.failures, proven: func() bool { return e.metrics.pages.Load() > 0 }}
	for intake.Err() == nil {
		caughtUp, err := e.round(intake, work, pollers)
		if intake.Err() != nil {
			return nil //nolint:nilerr // a stop was asked for, and the error is its echo
		}
		wait, err := patience.judge(err)
		if err != nil {
			return err
		}
		if caughtUp && wait == 0 {
			wait = e.cfg.Interval
		}
		pause(intake, wait)
	}
	return nil
}

// round is one step of each resource.
func (e *Extractor) round(intake, work context.Context, pollers []*Poller) (bool, error) {
	all := true
	for _, p := range pollers {
		caughtUp, err := p.Step(intake, work)
		if err != nil {
			return false, fmt.Errorf("extract %s: %w", p.resource.Schema.Resource, err)
		}
		all = all && caughtUp
	}
	return all, nil
}

// open learns where a resource stands: its checkpoint, and what is stored of the rows that may be shown again.
func (e *Extractor) open(ctx context.Context, resource Resource) (*Poller, error) {
	name := resource.Schema.Resource
	log := e.deps.Log.WithFields(logrus.Fields{logging.Source: e.cfg.Source, logging.Resource: name})
	journal, err := stream.OpenJournal(ctx, e.deps.Stream, name, e.cfg.Source)
	if err != nil {
		return nil, fmt.Errorf("open the journal of %s: %w", name, err)
	}
	p := &Poller{
		cfg: e.cfg, resource: resource, journal: journal, deadLetters: e.deps.Stream, log: log, metrics: e.metrics,
		now: e.deps.Now, slice: e.cfg.Window,
		reader: &reader{
			erp: e.deps.ERP, resource: resource, filter: e.cfg.Filter, size: min(e.cfg.PageSize, resource.Endpoint.MaxPageSize),
			settle: e.cfg.Settle, now: e.deps.Now, log: log, metrics: e.metrics,
		},
	}
	at := p.position()
	if at.cursor.IsZero() {
		return nil, ErrNoStart
	}
	if c := journal.Checkpoint(); c != nil && c.GetFilter() != e.cfg.Filter.String() {
		return nil, ErrFilterChanged
	}
	since := at.cursor.Add(-e.cfg.reach() - knownMargin)
	known, err := stream.LoadKnown(ctx, e.deps.Stream, name, e.cfg.Source, since)
	if err != nil {
		return nil, fmt.Errorf("learn what is stored of %s: %w", name, err)
	}
	p.known = known
	log.WithFields(logrus.Fields{logging.Cursor: at.cursor.Format(time.RFC3339), logging.Known: known.Len()}).Info("extracting")
	return p, nil
}

// knownMargin is how much further back than the first window the known rows reach: a record may be stamped by the stream a little before
// the ERP's own time, by as much as the clocks may differ.
const knownMargin = 5 * time.Minute

// pause waits, or returns when ctx ends.
func pause(ctx context.Context, wait time.Duration) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
