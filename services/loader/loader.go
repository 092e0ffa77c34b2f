// Package loader takes records from the stream to a sink: it consumes, writes, and only then acknowledges.
//
// It promises that every record on the stream is written to the sink at least once, or kept in the dead letters with its reason, and
// that one key is written by one worker at a time within a process. Across processes, and after a retry, an older version may arrive
// after a newer one; the version guard of the sink decides. Any number of loaders share one durable consumer.
//
// It does not change what it writes, and it does not decide what is too old: it reads whatever the stream still holds.
package loader

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/logging"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
)

const (
	// closePatience is how long the sink may take to close.
	closePatience = 5 * time.Second
	// unsettledAfter times LOADER_MAX_ATTEMPTS deliveries without a verdict, but leastUnsettled at least, are all that a message gets: then the
	// loaders that were given it died of it. It is more than once, because loaders also die, or are stopped before a sink that is down, for
	// other reasons, however few attempts the operator grants.
	unsettledAfter = 2
	leastUnsettled = 20
	// notes is how often a delivery is said to be in progress within AckWait: two may get lost.
	notes = 3
)

// Consumer is where deliveries come from; a *stream.Consumer is one.
type Consumer interface {
	// Run asks room how many deliveries to pull, and hands them to handle, until intake ends; see stream.Consumer.
	Run(intake, work context.Context, room func(context.Context) int, handle func(stream.Delivery)) error
	// AckWait is after how long a delivery that nothing is heard of goes to another loader.
	AckWait() time.Duration
}

// DeadLetters is where records go that the sink will never take; a *stream.Conn is one.
type DeadLetters interface {
	// KeepDelivery returns nil when the copy is stored.
	KeepDelivery(ctx context.Context, d stream.Delivery, reason, class string) error
}

// Deps is what a Loader works with.
type Deps struct {
	Consumer    Consumer
	DeadLetters DeadLetters
	// Sink is closed by Run.
	Sink sink.Sink
	// Lag returns how many records are not loaded yet, by whichever loader; nil shows none.
	Lag func(context.Context) (uint64, error)
	// Replays is where replays come from; nil carries out none.
	Replays    *ReplayDeps
	Log        logrus.FieldLogger
	Registerer prometheus.Registerer
}

// Loader loads. Run it once.
type Loader struct {
	deps     Deps
	cfg      Config
	metrics  *metrics
	held     *held
	outage   *outage
	suspects *suspects
	rejected chan rejection
	// replays are carried out beside the live flow; nil for none, as in a Loader that carries out one itself.
	replays *replays
}

// Open returns a Loader on the live consumer, with the sink that cfg names. Errors: a *stream.TopologyError when `juliu provision` has
// not run, a *setting.Problems when the sink's settings cannot be used.
func Open(
	ctx context.Context, conn *stream.Conn, cfg Config, log logrus.FieldLogger, registerer prometheus.Registerer, now func() time.Time,
) (*Loader, error) {
	consumer, err := stream.OpenConsumer(ctx, conn, stream.LiveConsumer)
	if err != nil {
		return nil, fmt.Errorf("open the consumer: %w", err)
	}
	target, err := openSink(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Sink == "webhook" && cfg.Webhook.IsUnsigned() {
		log.Warn("events are sent unsigned, their receiver cannot tell them from forged ones; set LOADER_WEBHOOK_SECRET")
	}
	lag := func(ctx context.Context) (uint64, error) {
		snapshot, err := stream.TakeSnapshot(ctx, conn)
		return snapshot.Lag(), err
	}
	replays, err := openReplays(ctx, conn, log, now)
	var l *Loader
	if err == nil {
		l, err = New(Deps{
			Consumer: consumer, DeadLetters: conn, Sink: target, Lag: lag, Replays: replays, Log: log, Registerer: registerer,
		}, cfg)
	}
	if err != nil {
		return nil, errors.Join(err, target.Close(ctx))
	}
	return l, nil
}

// openReplays returns nil where replays are not to be: the bucket or the right to it is missing.
func openReplays(ctx context.Context, conn *stream.Conn, log logrus.FieldLogger, now func() time.Time) (*ReplayDeps, error) {
	jobs, err := control.OpenJobs(ctx, conn, now)
	_, denied := errors.AsType[*stream.PermissionError](err)
	_, missing := errors.AsType[*stream.TopologyError](err)
	switch {
	case denied, missing:
		log.WithError(err).Warn("replays are not carried out by this loader")
		return nil, nil //nolint:nilnil // see above
	case err != nil:
		return nil, fmt.Errorf("open the jobs: %w", err)
	}
	return &ReplayDeps{Stream: conn, Jobs: jobs, Now: now}, nil
}

// New returns a Loader that does nothing before Run. It needs Workers and MaxAttempts of cfg alone.
func New(deps Deps, cfg Config) (*Loader, error) {
	m, err := newMetrics(deps.Registerer)
	if err != nil {
		return nil, err
	}
	held := newHeld(min(max(2*cfg.Workers*deps.Sink.Batch().Records, leastHeld), mostHeld))
	l := &Loader{
		deps: deps, cfg: cfg, metrics: m, held: held,
		outage:   &outage{log: deps.Log, gauge: m.unavailable, held: held},
		suspects: &suspects{maxAttempts: cfg.MaxAttempts},
		rejected: make(chan rejection, held.limit),
	}
	if deps.Replays != nil {
		l.replays = newReplays(l)
	}
	return l, nil
}

// Run loads until intake ends, finishes what it has in hand, closes the sink and returns nil. When work ends first it drops the rest,
// unacknowledged, for the next loader. It returns an error that no waiting cures: what the consumer returns, or a
// *stream.PermissionError of the dead letters; what it has in hand then gets no longer than Grace.
func (l *Loader) Run(intake, work context.Context) error {
	intake, fail := context.WithCancelCause(intake)
	defer fail(nil)
	aside, stop := context.WithCancel(context.WithoutCancel(work))
	defer stop()
	work, drop := context.WithCancel(work)
	defer drop()
	drained := make(chan struct{})

	var working, helping, keeping sync.WaitGroup
	keeping.Go(func() { l.keepLetters(work, fail) })
	workers := make([]*worker, l.cfg.Workers)
	for i := range workers {
		w := &worker{Loader: l, queue: make(chan stream.Delivery, l.held.limit), drained: drained}
		workers[i] = w
		working.Go(func() { w.run(work) })
	}
	helping.Go(func() { l.held.keepAlive(aside, max(l.deps.Consumer.AckWait()/notes, time.Millisecond), l.deps.Log) })
	if l.deps.Lag != nil {
		helping.Go(func() { l.watchLag(aside) })
	}
	beside, end := context.WithCancel(intake)
	defer end()
	if l.replays != nil {
		working.Go(func() { l.replays.run(beside, work) })
	}
	l.deps.Log.WithFields(logrus.Fields{logging.Sink: l.cfg.Sink, logging.Workers: l.cfg.Workers}).Info("loading")

	err := l.deps.Consumer.Run(intake, work, l.held.room, func(d stream.Delivery) {
		if l.held.add(d) {
			workers[keyHash(d)%uint64(len(workers))].queue <- d // has room for all that is held
		}
	})
	close(drained)
	end()
	if _, gone := errors.AsType[*stream.TopologyError](err); gone {
		drop() // in a consumer made anew another message may have the number of one that is in hand
	}
	if err != nil || deniedBy(intake) != nil {
		defer time.AfterFunc(Grace, drop).Stop() // nobody asked it to stop, so nobody else bounds it before a sink that is down
	}
	working.Wait()
	close(l.rejected)
	keeping.Wait()
	stop()
	helping.Wait()
	if err == nil {
		err = deniedBy(intake)
	}
	return errors.Join(err, l.closeSink(work))
}

// deniedBy is what ended intake when that was a missing right.
func deniedBy(intake context.Context) error {
	cause := context.Cause(intake)
	if _, denied := errors.AsType[*stream.PermissionError](cause); denied {
		return cause //nolint:wrapcheck // keep worded it
	}
	return nil
}

// keyHash tells keys apart.
func keyHash(d stream.Delivery) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.Identity))
	return h.Sum64()
}

func (l *Loader) closeSink(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	if err := l.deps.Sink.Close(ctx); err != nil {
		return fmt.Errorf("close the sink: %w", err)
	}
	return nil
}
