package extractor

import (
	"context"
	"errors"

	"juliu/pkg/control"
	"juliu/pkg/logging"
)

// errHalted means that an operator paused or cancelled the job, or that another process ended it.
var errHalted = errors.New("the job was halted")

// progress notes how far a job is; at its end it is done. What was stored while an operator paused it is noted too.
func (b *Backfiller) progress(ctx context.Context, id string, p control.Progress, end bool) error {
	paused := false
	err := b.change(ctx, id, func(j *control.Job) error {
		paused = j.State == control.Paused
		if !paused && j.State != control.Running {
			return errHalted
		}
		j.Progress, j.Problem = p, ""
		if end && !paused {
			j.Progress.Remaining = 0
			return j.Move(control.Done)
		}
		return nil
	})
	if err == nil && paused {
		return errHalted
	}
	return err
}

// fail ends a job that can never be carried out.
func (b *Backfiller) fail(ctx context.Context, id string, cause error) error {
	b.log.WithError(cause).WithField(logging.Job, id).Warn("the backfill failed")
	return b.change(ctx, id, func(j *control.Job) error {
		j.Problem = cause.Error()
		return j.Move(control.Failed)
	})
}

// tell notes why a job waits. That it could not be noted is no further trouble.
func (b *Backfiller) tell(ctx context.Context, id string, cause error) {
	_ = b.change(ctx, id, func(j *control.Job) error {
		j.Problem = cause.Error()
		return nil
	})
}

// change changes a job and remembers it as it is then.
func (b *Backfiller) change(ctx context.Context, id string, edit func(*control.Job) error) error {
	job, err := b.jobs.Change(ctx, id, edit)
	if errors.Is(err, control.ErrEnded) || errors.Is(err, control.ErrNoJob) {
		b.mu.Lock()
		delete(b.known, id)
		b.mu.Unlock()
		return errHalted
	}
	if job.ID != "" {
		b.mu.Lock()
		b.known[id] = job
		b.mu.Unlock()
	}
	return err
}
