package extractor

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
)

// Backfiller carries out the backfills of one source.
type Backfiller struct {
	*worker

	newReader func() *reader
	usage     func() jushuitan.Usage
	// hollows is the reader's count, of the job that was worked at last: the next try of that job goes on counting.
	hollows   int
	hollowJob string
}

func newBackfiller(
	cfg Config, jobs Jobs, w *writer, newReader func() *reader, usage func() jushuitan.Usage, log logrus.FieldLogger, now func() time.Time,
) *Backfiller {
	b := &Backfiller{worker: newWorker(BackfillKind, jushuitan.Backfill, cfg, jobs, w, log, now), newReader: newReader, usage: usage}
	b.worker.carryOut = b.carryOut
	return b
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
