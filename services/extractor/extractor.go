// Package extractor takes orders from the ERP to the stream. Lanes read: the live one follows what changes, by windows of modification time
// or by row version; the sweep reads the past again; backfills read what an operator asks for; audits compare the past with the stream. One writer drops what is stored
// already and commits the rest together with the checkpoint in one fenced act.
//
// It promises that every order version which a complete read of a window showed is on the stream before the checkpoint moves past
// that window, that for one order the stream never goes back to an older version, and that an equal row is stored once. Of several
// extractors of one source one reads, by a lease; the others stand by. Should two believe that they hold it, the server refuses the commit
// of the second, which ends with exit code 3.
package extractor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
	"juliu/pkg/process"
	"juliu/pkg/stream"
)

// Deps is what an Extractor works with.
type Deps struct {
	ERP        Client
	Stream     *stream.Conn
	Leases     Leases
	Jobs       Jobs
	Tokens     TokenStore
	Log        logrus.FieldLogger
	Registerer prometheus.Registerer
	Now        func() time.Time
	// Holder names this process for whoever wonders who reads the ERP.
	Holder control.Holder
}

// Client is the ERP's client, with the quota that all lanes share.
type Client interface {
	tokenClient
	Usage() jushuitan.Usage
}

// Leases see to it that one process reads a source at a time. That saves calls; safety is the journal's.
type Leases interface {
	Hold(ctx context.Context, name string, holder control.Holder, fn func(ctx context.Context) error) error
}

// Extractor reads the resources of one source.
type Extractor struct {
	deps    Deps
	cfg     Config
	metrics *metrics
	tokens  *tokenMetrics
	keeper  *keeper // nil until this process first held the lease
}

// New returns an Extractor that does nothing before Run.
func New(deps Deps, cfg Config) (*Extractor, error) {
	m, err := newMetrics(deps.Registerer, deps.ERP.Usage)
	if err != nil {
		return nil, err
	}
	tokens, err := newTokenMetrics(deps.Registerer, deps.Now)
	if err != nil {
		return nil, err
	}
	return &Extractor{deps: deps, cfg: cfg, metrics: m, tokens: tokens}, nil
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

// Run waits for the lease of its source, then reads and stores, until intake ends, and returns nil then. A commit in hand is finished
// under work. When it loses the lease it stands by again. It returns an error that no waiting cures: stream.ErrFenced, ErrNoStart, a
// *stream.PermissionError, or what the ERP refuses for good.
func (e *Extractor) Run(intake, work context.Context) error {
	for intake.Err() == nil {
		err := e.deps.Leases.Hold(intake, e.cfg.Source, e.deps.Holder, func(intake context.Context) error { return e.lead(intake, work) })
		switch {
		case intake.Err() != nil && !coded(err):
			return nil
		case !errors.Is(err, control.ErrLeaseLost):
			return err
		}
		e.deps.Log.WithError(err).Warn("standing by again")
	}
	return nil
}

// lead carries out all lanes of each resource until intake ends or one of them cannot go on.
func (e *Extractor) lead(intake, work context.Context) error {
	e.metrics.leading.Set(1)
	defer e.metrics.leading.Set(0)
	lanes, err := e.prepare(intake)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(intake)
	for _, run := range lanes {
		group.Go(func() error { return run(ctx, work) })
	}
	return group.Wait() //nolint:wrapcheck // our own
}

// prepare returns the lanes of all resources once it has learned where they stand. What may pass, such as a lost connection to NATS, it
// waits for until intake ends.
func (e *Extractor) prepare(intake context.Context) ([]lane, error) {
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		lanes, err := e.openAll(intake)
		if err == nil || final(err) {
			return lanes, err
		}
		if intake.Err() == nil {
			e.metrics.failures.WithLabelValues("other").Inc()
			e.deps.Log.WithError(err).WithField(logging.Wait, wait.String()).Warn("extraction waits to begin")
			pause(intake, wait)
		}
		if intake.Err() != nil {
			return nil, intake.Err() //nolint:wrapcheck // a stop was asked for, or the lease is lost
		}
	}
}

// openAll tries once.
func (e *Extractor) openAll(ctx context.Context) ([]lane, error) {
	if err := e.keepToken(ctx); err != nil {
		return nil, err
	}
	lanes := []lane{func(intake, _ context.Context) error { e.keeper.run(intake); return nil }}
	for _, resource := range Resources() {
		more, err := e.open(ctx, resource, e.keeper)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, more...)
	}
	return lanes, nil
}

// keepToken opens the keeper of the token, once: it may hold a refreshed token that NATS was not there to take.
func (e *Extractor) keepToken(ctx context.Context) error {
	if e.keeper != nil {
		return e.keeper.resume(ctx)
	}
	var err error
	e.keeper, err = openKeeper(ctx, keeperDeps{
		client: e.deps.ERP, store: e.deps.Tokens, log: e.deps.Log, metrics: e.tokens, now: e.deps.Now,
		source: e.cfg.Source, holder: e.deps.Holder.Name, erp: e.cfg.ERP,
	})
	return err
}

// lane is something that runs until its intake ends.
type lane func(intake, work context.Context) error

// open learns where a resource stands, its checkpoint and what is stored of the rows that may be shown again, and returns its lanes.
func (e *Extractor) open(ctx context.Context, resource Resource, erp ERP) ([]lane, error) {
	name := resource.Schema.Resource
	log := e.deps.Log.WithFields(logrus.Fields{logging.Source: e.cfg.Source, logging.Resource: name})
	journal, err := stream.OpenJournal(ctx, e.deps.Stream, name, e.cfg.Source)
	if err != nil {
		return nil, fmt.Errorf("open the journal of %s: %w", name, err)
	}
	at := positionOf(journal.Checkpoint(), e.cfg.Start)
	if at.cursor.IsZero() {
		return nil, ErrNoStart
	}
	if c := journal.Checkpoint(); c != nil && c.GetFilter() != e.cfg.Filter.String() {
		return nil, ErrFilterChanged
	}
	w := &writer{
		source: e.cfg.Source, resource: resource, filter: e.cfg.Filter, start: e.cfg.Start, deadLetters: e.deps.Stream,
		log: log, metrics: e.metrics, journal: journal, known: stream.NewKnown(), floors: map[jushuitan.Lane]time.Time{},
	}
	w.load = func(ctx context.Context, since time.Time) (*stream.Known, error) {
		return stream.LoadKnown(ctx, e.deps.Stream, name, e.cfg.Source, since, oldestMark(w.checkpoint()))
	}
	w.reload = func(ctx context.Context, shop string, since time.Time) (*stream.Known, error) {
		return stream.LoadKnownOf(ctx, e.deps.Stream, name, e.cfg.Source, shop, since)
	}
	if err := w.cover(ctx, jushuitan.Live, at.cursor.Add(-e.cfg.memory())); err != nil {
		return nil, err
	}
	w.done(jushuitan.Live)
	log.WithFields(logrus.Fields{logging.Cursor: at.cursor.Format(time.RFC3339), logging.Known: w.known.Len()}).Info("extracting")
	return e.lanes(resource, erp, w, log), nil
}

// lanes are who reads a resource: the live one, the sweep, the backfills, and the audits.
func (e *Extractor) lanes(resource Resource, erp ERP, w *writer, log logrus.FieldLogger) []lane {
	newReader := func() *reader {
		return &reader{
			erp: erp, resource: resource, source: e.cfg.Source, filter: e.cfg.Filter,
			size: min(e.cfg.PageSize, resource.Endpoint.MaxPageSize), settle: e.cfg.Settle, now: e.deps.Now, log: log, metrics: e.metrics,
		}
	}
	poller := &Poller{
		cfg: e.cfg, reader: newReader(), writer: w, log: log, metrics: e.metrics, now: e.deps.Now, slice: e.cfg.Window,
	}
	lanes := []lane{poller.Run}
	if e.cfg.SweepEvery > 0 {
		sweeper := &Sweeper{cfg: e.cfg, reader: newReader(), writer: w, log: log, metrics: e.metrics, now: e.deps.Now}
		lanes = append(lanes, sweeper.Run)
	}
	backfiller := newBackfiller(e.cfg, e.deps.Jobs, w, newReader, e.deps.ERP.Usage, log, e.deps.Now)
	auditor := newAuditor(e.cfg, e.deps.Jobs, w, newReader, log, e.metrics, e.deps.Now)
	return append(lanes, backfiller.Run, auditor.Run)
}

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
