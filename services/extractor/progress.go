package extractor

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/logging"
)

// errHalted means that an operator paused or cancelled the job, or that another process ended it.
var errHalted = errors.New("the job was halted")

// progress notes how far a job is; at its end it is done. What was stored while an operator paused it is noted too.
func (w *worker) progress(ctx context.Context, id string, p control.Progress, end bool) error {
	return w.advance(ctx, id, end, func(j *control.Job) { j.Progress = p })
}

// advance notes what a job has done in the words of its kind.
func (w *worker) advance(ctx context.Context, id string, end bool, note func(*control.Job)) error {
	paused := false
	err := w.change(ctx, id, func(j *control.Job) error {
		paused = j.State == control.Paused
		if !paused && j.State != control.Running {
			return errHalted
		}
		note(j)
		j.Problem = ""
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

// halted says that a job was paused or ended by others, as far as was heard.
func (w *worker) halted(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	job, ok := w.known[id]
	return ok && job.State != control.Running
}

// fail ends a job that can never be carried out.
func (w *worker) fail(ctx context.Context, id string, cause error) error {
	w.log.WithError(cause).WithFields(logrus.Fields{logging.Job: id, logging.Lane: w.lane.String()}).Warn("the job failed")
	return w.change(ctx, id, func(j *control.Job) error {
		j.Problem = cause.Error()
		return j.Move(control.Failed)
	})
}

// tell notes why a job waits. That it could not be noted is no further trouble.
func (w *worker) tell(ctx context.Context, id string, cause error) {
	_ = w.change(ctx, id, func(j *control.Job) error {
		j.Problem = cause.Error()
		return nil
	})
}

// change changes a job and remembers it as it is then.
func (w *worker) change(ctx context.Context, id string, edit func(*control.Job) error) error {
	job, err := w.jobs.Change(ctx, id, edit)
	if errors.Is(err, control.ErrEnded) || errors.Is(err, control.ErrNoJob) {
		w.mu.Lock()
		delete(w.known, id)
		w.mu.Unlock()
		return errHalted
	}
	if job.ID != "" {
		w.mu.Lock()
		w.known[id] = job
		w.mu.Unlock()
	}
	return err
}
