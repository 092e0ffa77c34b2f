package extractor

import (
	"context"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/logging"
)

// auditRetry is how long after trouble the schedule looks again.
const auditRetry = time.Minute

// schedule creates an audit whenever one is due, until ctx ends. When the last one began is read from the jobs, so that a restart or another
// holder of the lease keeps to the time.
func (a *Auditor) schedule(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := a.due(ctx)
		if err == nil && wait <= 0 {
			wait, err = a.cfg.AuditEvery, a.create(ctx)
		}
		if err != nil && ctx.Err() == nil {
			a.log.WithError(err).WithField(logging.Wait, auditRetry.String()).Warn("no audit could be scheduled; it is tried again")
			wait = auditRetry
		}
		pause(ctx, wait)
	}
}

// due is how long until the next audit, and sees to it that the last one of the schedule was started.
func (a *Auditor) due(ctx context.Context) (time.Duration, error) {
	if a.writer.checkpoint().GetCursor() == nil || a.now().Sub(a.settled()) > a.cfg.reach()+time.Hour || a.past().span() <= 0 {
		return max(a.cfg.Interval, time.Second), nil // the live lane catches up first
	}
	list, err := a.jobs.List(ctx)
	if err != nil {
		return 0, err
	}
	for _, job := range list { // the newest first
		if job.Kind != AuditKind || job.Source != a.cfg.Source {
			continue
		}
		spec, _, err := decodeAudit(job, a.now())
		if err != nil || !spec.Scheduled {
			continue
		}
		if job.State == control.Planned { // the process ended between two writes
			err = a.change(ctx, job.ID, func(j *control.Job) error { return j.Move(control.Running) })
		}
		if !job.State.Ended() {
			return auditRetry, err
		}
		return min(job.Created.Add(a.cfg.AuditEvery).Sub(a.now()), a.cfg.AuditEvery), nil // a clock that was ahead delays no more than that
	}
	return 0, nil
}

// past is what an audit of the schedule compares: the span before what has settled, not before the source began.
func (a *Auditor) past() Window {
	w := Window{End: a.settled()}
	w.Begin = maxTime(w.End.Add(-a.cfg.AuditSpan), a.writer.checkpoint().GetStart().AsTime().Truncate(time.Second))
	return w
}

func (a *Auditor) create(ctx context.Context) error {
	w := a.past()
	_, err := a.jobs.Create(ctx, AuditKind, a.cfg.Source, Audit{From: w.Begin, To: w.End, Repair: true, Scheduled: true})
	return err
}
