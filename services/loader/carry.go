package loader

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

const (
	// reportEvery is how often a loader adds to the job what it has settled.
	reportEvery = time.Second
	// countPatience is how long the others are given to add theirs before the job is done.
	countPatience = 3 * reportEvery
)

// carrier is this loader's part in one replay.
type carrier struct {
	*replays

	job    control.Job
	spec   Replay
	replay *stream.Replay
	loader *Loader
	gate   *gate
	// told is what was added to the job.
	told ReplayReport
	// base and began are what the job counted when this part began, and when that was.
	base  int64
	began time.Time
}

// carryOut takes part in a replay until it is over, it no longer runs, or intake ends.
func (r *replays) carryOut(intake, work context.Context, job control.Job) error {
	c := carrier{replays: r, job: job, base: job.Progress.Rows, began: r.now()}
	err := json.Unmarshal(job.Spec, &c.spec)
	if err == nil {
		err = c.spec.Validate()
	}
	if err != nil {
		return r.fail(work, job.ID, fmt.Sprintf("read what is asked for: %v; a newer juliu may have written it", err))
	}
	if c.replay, err = stream.OpenReplay(intake, r.conn, job.ID, c.spec.Plan); err != nil {
		return c.gone(work, err)
	}
	target, err := c.open(intake)
	if err != nil {
		return err
	}
	log := r.log.WithField(logging.Job, job.ID)
	c.gate = newGate(c.replay, r.live.held, c.spec, r.now)
	deps := Deps{
		Consumer: c.gate, DeadLetters: r.live.deps.DeadLetters, Sink: target, Lag: nil, Replays: nil, Log: log,
		Registerer: prometheus.NewRegistry(), // the replay's figures are its job's
	}
	if c.loader, err = New(deps, r.live.cfg.replayConfig(c.spec)); err != nil {
		return errors.Join(err, target.Close(work))
	}
	log.Info("replay goes on")
	return c.run(intake, work)
}

// run loads until the replay is over or does not run any more, and then until nothing is in hand, but no longer than Grace: a sink that is
// down must not keep this loader from other replays. What is dropped then comes again, unless the replay has ended.
func (c *carrier) run(intake, work context.Context) error {
	within, stop := context.WithCancel(intake)
	defer stop()
	hand, drop := context.WithCancel(work)
	defer drop()
	ended, over := make(chan error, 1), false
	go func() { ended <- c.loader.Run(within, hand) }()
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	late := time.NewTimer(Grace)
	defer late.Stop()
	late.Stop() // until nothing more is taken
	var lost error
	for {
		on, changed := c.runs(c.job.ID)
		if within.Err() == nil && (!on || over) {
			stop()
			late.Reset(Grace)
		}
		select {
		case <-changed:
		case <-late.C:
			drop()
		case <-ticker.C:
			c.report(work)
			if cause := c.loader.outage.why(); cause != nil && on {
				c.tell(work, c.job.ID, cause)
			}
			standing, err := c.replay.Standing(within)
			if err == nil {
				over = standing.Over
			} else if _, gone := errors.AsType[*stream.TopologyError](err); gone {
				lost = err // who waits at the gate, or for the sink, would not hear of it
				drop()
			}
		case err := <-ended:
			c.report(work)
			if err = cmp.Or(err, lost); err != nil {
				return c.gone(work, err)
			}
			if over {
				return c.finish(work)
			}
			return nil
		}
	}
}

// report adds to the job what was settled since the last time.
func (c *carrier) report(ctx context.Context) {
	stats := c.loader.Stats()
	now := ReplayReport{Written: stats.Written, Rejected: stats.Rejected, Skipped: c.gate.skipped.Load()}
	more := now.minus(c.told)
	if more.settled() == 0 {
		return
	}
	job, err := c.jobs.Change(ctx, c.job.ID, func(j *control.Job) error { return c.add(j, more) })
	c.echo(c.job.ID, err)
	if err != nil {
		return // it is added the next time, unless the job has ended
	}
	c.told = now
	c.live.metrics.replayed(more)
	_ = c.note(job)
}

// add adds to a job's figures.
func (c *carrier) add(j *control.Job, more ReplayReport) error {
	var sum ReplayReport
	if len(j.Report) > 0 {
		if err := json.Unmarshal(j.Report, &sum); err != nil {
			return fmt.Errorf("read the report of job %s: %w", j.ID, err)
		}
	}
	sum = sum.plus(more)
	report, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("write the report of job %s: %w", j.ID, err)
	}
	j.Report, j.Problem = report, ""
	j.Progress.Rows, j.Progress.Stored = int64(sum.Written+sum.Rejected), int64(sum.Written) //nolint:gosec // counts
	if rate := float64(j.Progress.Rows-c.base) / c.now().Sub(c.began).Seconds(); rate > 0 {
		left := float64(c.spec.Plan.Chosen) - float64(j.Progress.Rows)
		j.Progress.Remaining = time.Duration(max(left, 0) / rate * float64(time.Second))
	}
	return nil
}

// finish ends the job when the others have added theirs.
func (c *carrier) finish(ctx context.Context) error {
	deadline := c.now().Add(countPatience)
	for ctx.Err() == nil && c.now().Before(deadline) {
		c.mu.Lock()
		job, changed := c.known[c.job.ID], c.changed
		c.mu.Unlock()
		var sum ReplayReport
		if job.State != control.Running || json.Unmarshal(job.Report, &sum) == nil && sum.settled() >= c.spec.Plan.Passed {
			break
		}
		wait(ctx, changed, deadline.Sub(c.now()))
	}
	job, err := c.jobs.Change(ctx, c.job.ID, func(j *control.Job) error {
		j.Progress.Remaining, j.Problem = 0, ""
		return j.Move(control.Done)
	})
	switch {
	case err == nil:
		c.log.WithFields(logrus.Fields{logging.Job: job.ID, logging.Records: job.Progress.Rows}).Info("replay done")
	case errors.Is(err, control.ErrTransition): // an operator has just paused it
		return c.note(job)
	case !errors.Is(err, control.ErrEnded): // which another loader did
		return err
	}
	_ = c.note(job)
	return stream.RemoveReplay(ctx, c.conn, c.job.ID, c.spec.Plan)
}

// gone is for a replay whose consumer is not there: another loader or an operator has ended it, or nobody wanted it for too long.
func (c *carrier) gone(ctx context.Context, err error) error {
	if _, missing := errors.AsType[*stream.TopologyError](err); !missing {
		return err
	}
	return c.fail(ctx, c.job.ID, fmt.Sprintf("%v: a replay that is paused for more than seven days is forgotten; begin it anew", err))
}
