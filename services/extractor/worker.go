package extractor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
)

// Jobs are the jobs that operators ask for, and those that are due by a schedule.
type Jobs interface {
	Create(ctx context.Context, kind, source string, spec any) (control.Job, error)
	List(ctx context.Context) ([]control.Job, error)
	Watch(ctx context.Context, fn func(control.Job) error) error
	Change(ctx context.Context, id string, edit func(*control.Job) error) (control.Job, error)
}

// worker carries out the jobs of one kind and source, one at a time, the oldest first, in quota that nobody else wants. Each has its own
// checkpoint in its job, so it goes on where it was after a restart, in this process or another.
type worker struct {
	kind   string
	lane   jushuitan.Lane
	cfg    Config
	jobs   Jobs
	writer *writer
	log    logrus.FieldLogger
	now    func() time.Time
	// carryOut plans a job or works at it until it is done or halted.
	carryOut func(intake, work context.Context, job control.Job) error

	mu     sync.Mutex // guards known
	known  map[string]control.Job
	wakeup chan struct{}
}

func newWorker(kind string, lane jushuitan.Lane, cfg Config, jobs Jobs, w *writer, log logrus.FieldLogger, now func() time.Time) *worker {
	return &worker{
		kind: kind, lane: lane, cfg: cfg, jobs: jobs, writer: w, log: log, now: now, known: map[string]control.Job{}, wakeup: make(chan struct{}, 1),
	}
}

// Run waits for jobs and carries them out until intake ends. It returns an error only when that ends the extractor.
func (w *worker) Run(intake, work context.Context) error {
	group, ctx := errgroup.WithContext(intake)
	group.Go(func() error { return w.jobs.Watch(ctx, w.note) })
	group.Go(func() error { return w.work(ctx, work) })
	err := group.Wait()
	if intake.Err() != nil {
		return nil //nolint:nilerr // a stop was asked for, and the error is its echo
	}
	return err //nolint:wrapcheck // our own
}

// note remembers a job of this source that waits for us.
func (w *worker) note(job control.Job) error {
	if job.Kind != w.kind || job.Source != w.cfg.Source {
		return nil
	}
	w.mu.Lock()
	w.known[job.ID] = job
	w.mu.Unlock()
	select {
	case w.wakeup <- struct{}{}:
	default:
	}
	return nil
}

// next is the job to work at: one to be planned, which takes seconds, else the oldest that runs.
func (w *worker) next() (control.Job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var waiting []control.Job
	for id, job := range w.known {
		switch {
		case job.State.Ended():
			delete(w.known, id)
		case job.State == control.Planning, job.State == control.Running:
			waiting = append(waiting, job)
		}
	}
	if len(waiting) == 0 {
		return control.Job{}, false
	}
	return slices.MinFunc(waiting, func(a, b control.Job) int {
		later := func(yes bool) int {
			if yes {
				return 1
			}
			return 0
		}
		return cmp.Or(
			cmp.Compare(later(a.Problem != ""), later(b.Problem != "")), // one in trouble does not stop the others
			cmp.Compare(later(a.State != control.Planning), later(b.State != control.Planning)),
			a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID),
		)
	}), true
}

// work carries out one job after the other.
func (w *worker) work(intake, work context.Context) error {
	wait := minWait
	for intake.Err() == nil {
		job, ok := w.next()
		if !ok || w.writer.checkpoint().GetCursor() == nil {
			w.sleep(intake, time.Second)
			continue
		}
		err := w.carryOut(jushuitan.WithLane(intake, w.lane), work, job)
		switch {
		case intake.Err() != nil:
			return nil //nolint:nilerr // a stop was asked for, and the error is its echo
		case err == nil, errors.Is(err, errHalted):
			wait = minWait
		case final(err):
			return err
		default:
			w.log.WithError(err).WithFields(logrus.Fields{logging.Job: job.ID, logging.Lane: w.lane.String(), logging.Wait: wait.String()}).Warn("the job waits")
			w.tell(work, job.ID, err)
			pause(intake, wait)
			wait = min(2*wait, maxWait)
		}
	}
	return nil
}

// sleep waits for a job to change.
func (w *worker) sleep(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.wakeup:
	case <-timer.C:
	}
}

// refused says that the ERP will not take what the job asks, however often it is asked.
func refused(err error) bool {
	e, ok := errors.AsType[*jushuitan.Error](err)
	return ok && (e.Kind == jushuitan.BadParameter || e.Kind == jushuitan.UnknownShop)
}
