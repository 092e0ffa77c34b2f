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

// Jobs are the jobs that operators ask for.
type Jobs interface {
	Watch(ctx context.Context, fn func(control.Job) error) error
	Change(ctx context.Context, id string, edit func(*control.Job) error) (control.Job, error)
}

// Backfiller carries out the backfills of one source in quota that nobody else wants, one at a time, the oldest first. Each has its own
// checkpoint in its job, so it goes on where it was after a restart, in this process or another.
type Backfiller struct {
	cfg       Config
	jobs      Jobs
	writer    *writer
	newReader func() *reader
	usage     func() jushuitan.Usage
	log       logrus.FieldLogger
	now       func() time.Time

	mu     sync.Mutex // guards known
	known  map[string]control.Job
	wakeup chan struct{}
}

// Run waits for jobs and carries them out until intake ends. It returns an error only when that ends the extractor.
func (b *Backfiller) Run(intake, work context.Context) error {
	group, ctx := errgroup.WithContext(intake)
	group.Go(func() error { return b.jobs.Watch(ctx, b.note) })
	group.Go(func() error { return b.work(ctx, work) })
	err := group.Wait()
	if intake.Err() != nil {
		return nil //nolint:nilerr // a stop was asked for, and the error is its echo
	}
	return err //nolint:wrapcheck // our own
}

// note remembers a job of this source that waits for us.
func (b *Backfiller) note(job control.Job) error {
	if job.Kind != BackfillKind || job.Source != b.cfg.Source {
		return nil
	}
	b.mu.Lock()
	b.known[job.ID] = job
	b.mu.Unlock()
	select {
	case b.wakeup <- struct{}{}:
	default:
	}
	return nil
}

// next is the job to work at: one to be planned, which takes seconds, else the oldest that runs.
func (b *Backfiller) next() (control.Job, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var waiting []control.Job
	for id, job := range b.known {
		switch {
		case job.State.Ended():
			delete(b.known, id)
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
func (b *Backfiller) work(intake, work context.Context) error {
	wait := minWait
	for intake.Err() == nil {
		job, ok := b.next()
		if !ok || b.writer.checkpoint().GetCursor() == nil {
			b.sleep(intake, time.Second)
			continue
		}
		err := b.carryOut(jushuitan.WithLane(intake, jushuitan.Backfill), work, job)
		switch {
		case intake.Err() != nil:
			return nil //nolint:nilerr // a stop was asked for, and the error is its echo
		case err == nil, errors.Is(err, errHalted):
			wait = minWait
		case final(err):
			return err
		default:
			b.log.WithError(err).WithFields(logrus.Fields{logging.Job: job.ID, logging.Wait: wait.String()}).Warn("the backfill waits")
			b.tell(work, job.ID, err)
			pause(intake, wait)
			wait = min(2*wait, maxWait)
		}
	}
	return nil
}

// sleep waits for a job to change.
func (b *Backfiller) sleep(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-b.wakeup:
	case <-timer.C:
	}
}

// carryOut plans a job or works at it until it is done or halted.
func (b *Backfiller) carryOut(intake, work context.Context, job control.Job) error {
	spec, err := b.decodeSpec(job)
	if err != nil {
		return b.fail(work, job.ID, err)
	}
	log := b.log.WithField(logging.Job, job.ID)
	if job.State == control.Planning {
		plan, err := b.plan(intake, spec)
		if errors.Is(err, errNoCount) {
			plan, err = control.Plan{}, nil
		}
		if refused(err) {
			return b.fail(work, job.ID, err)
		}
		if err != nil {
			return err
		}
		return b.change(work, job.ID, func(j *control.Job) error {
			j.Plan, j.Problem = &plan, ""
			return j.Move(control.Planned)
		})
	}
	log.Info("backfill goes on")
	defer b.writer.done(jushuitan.Backfill)
	if len(spec.SoIDs) > 0 {
		err = b.named(intake, work, job, spec)
	} else {
		err = b.windows(intake, work, job, spec)
	}
	switch {
	case refused(err):
		return b.fail(work, job.ID, err)
	case err == nil:
		log.Info("backfill done")
	}
	return err
}

// refused says that the ERP will not take what the job asks, however often it is asked.
func refused(err error) bool {
	e, ok := errors.AsType[*jushuitan.Error](err)
	return ok && (e.Kind == jushuitan.BadParameter || e.Kind == jushuitan.UnknownShop)
}
