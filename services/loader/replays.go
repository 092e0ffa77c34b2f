package loader

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

const (
	// replayAgain is the first and replayRest the longest wait after a replay that could not go on.
	replayAgain = time.Second
	replayRest  = 30 * time.Second
	// othersGoOn is within what time a job changes that other loaders carry out.
	othersGoOn = 3 * reportEvery
)

// Jobs are the jobs that operators ask for; a *control.Jobs is one.
type Jobs interface {
	Watch(ctx context.Context, fn func(control.Job) error) error
	Change(ctx context.Context, id string, edit func(*control.Job) error) (control.Job, error)
}

// ReplayDeps is what a Loader needs to carry out replays.
type ReplayDeps struct {
	Stream *stream.Conn
	Jobs   Jobs
	Now    func() time.Time
}

// replays carries out the replay jobs beside the live flow, one at a time, the oldest first. Each loader of the fleet does so: they share
// the durable of the replay as they share the live one. Where a replay stands is what its durable says, so it goes on after a restart.
type replays struct {
	live *Loader
	conn *stream.Conn
	jobs Jobs
	now  func() time.Time
	log  logrus.FieldLogger

	mu    sync.Mutex // guards known
	known map[string]control.Job
	// changed is closed and made anew with each change of a job.
	changed chan struct{}
}

func newReplays(live *Loader) *replays {
	from := live.deps.Replays
	return &replays{
		live: live, conn: from.Stream, jobs: from.Jobs, now: from.Now, log: live.deps.Log,
		known: map[string]control.Job{}, changed: make(chan struct{}),
	}
}

// run carries out replays until intake ends. What keeps it from that is logged: the live flow goes on without.
func (r *replays) run(intake, work context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	intake, stop := context.WithCancel(intake)
	defer stop()
	watching.Go(func() {
		if err := r.jobs.Watch(intake, r.note); err != nil && intake.Err() == nil {
			r.log.WithError(err).Warn("replays are not carried out by this loader")
			stop()
		}
	})
	for wait := replayAgain; intake.Err() == nil; {
		job, changed, ok := r.next()
		if !ok {
			select {
			case <-intake.Done():
			case <-changed:
			}
			continue
		}
		err := r.carryOut(intake, work, job)
		if err == nil || intake.Err() != nil {
			wait = replayAgain
			continue
		}
		r.log.WithError(err).WithFields(logrus.Fields{logging.Job: job.ID, logging.Wait: wait.String()}).Warn("the replay waits")
		r.tell(work, job.ID, err)
		rest(intake, wait)
		wait = min(2*wait, replayRest)
	}
}

// note remembers a job.
func (r *replays) note(job control.Job) error {
	if job.Kind != ReplayKind {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[job.ID] = job
	if job.State.Ended() {
		delete(r.known, job.ID)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// next is the oldest job that runs, and what is closed when a job changes.
func (r *replays) next() (control.Job, <-chan struct{}, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var running []control.Job
	for _, job := range r.known {
		if job.State == control.Running {
			running = append(running, job)
		}
	}
	if len(running) == 0 {
		return control.Job{}, r.changed, false
	}
	return slices.MinFunc(running, func(a, b control.Job) int {
		troubled := func(j control.Job) int { return min(len(j.Problem), 1) } // one in trouble does not stop the others
		order := cmp.Compare(troubled(a), troubled(b))
		if order == 0 && a.Problem != "" { // each in its turn, or the oldest would stop all others of them
			order = a.Updated.Compare(b.Updated)
		}
		return cmp.Or(order, a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	}), r.changed, true
}

// runs reports whether a job is still to be carried out, and what is closed when a job changes.
func (r *replays) runs(id string) (bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[id].State == control.Running, r.changed
}

// tell writes into a job why it does not go on, for people, unless it does by other loaders.
func (r *replays) tell(ctx context.Context, id string, cause error) {
	r.mu.Lock()
	last := r.known[id].Updated
	r.mu.Unlock()
	if age := r.now().Sub(last); age >= 0 && age < othersGoOn { // below 0 another clock is ahead
		return
	}
	_, err := r.jobs.Change(ctx, id, func(j *control.Job) error { j.Problem = cause.Error(); return nil })
	r.echo(id, err)
}

// fail ends a job that can never be carried out, unless it has ended already.
func (r *replays) fail(ctx context.Context, id, cause string) error {
	job, err := r.jobs.Change(ctx, id, func(j *control.Job) error {
		j.Problem = cause
		return j.Move(control.Failed)
	})
	if err == nil || errors.Is(err, control.ErrEnded) {
		_ = r.note(job)
		return nil
	}
	return err
}

// echo logs what kept a job from being changed; that it has ended is no news. One that was deleted is as good as cancelled.
func (r *replays) echo(id string, err error) {
	if errors.Is(err, control.ErrNoJob) {
		_ = r.note(control.Job{ID: id, Kind: ReplayKind, State: control.Cancelled})
	}
	if err != nil && !errors.Is(err, control.ErrEnded) {
		r.log.WithError(err).WithField(logging.Job, id).Debug("job not changed")
	}
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) { wait(ctx, nil, d) }
