package control

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/stream"
)

// Jobs are the jobs of all kinds and sources. They are kept for ever: a hundred of them take less than one page of orders. Jobs is safe
// for concurrent use.
type Jobs struct {
	bucket *bucket
	now    func() time.Time
}

// OpenJobs binds to the bucket. Errors: *stream.TopologyError when it is missing or breaks a promise, *stream.PermissionError.
func OpenJobs(ctx context.Context, conn *stream.Conn, now func() time.Time) (*Jobs, error) {
	b, err := openBucket(ctx, conn, JobBucket, jobStream())
	if err != nil {
		return nil, err
	}
	return &Jobs{bucket: b, now: now}, nil
}

// Create stores a new job in the state Planning. Spec is stored as JSON.
func (j *Jobs) Create(ctx context.Context, kind, source string, spec any) (Job, error) {
	asked, err := json.Marshal(spec)
	if err != nil {
		return Job{}, fmt.Errorf("create a job: encode what was asked: %w", err)
	}
	for {
		now := j.now().UTC()
		job := Job{ID: newID(now), Kind: kind, Source: source, State: Planning, Spec: asked, Created: now, Updated: now}
		err := j.store(ctx, job, 0)
		if err == nil {
			return job, nil
		}
		if !errors.Is(err, errMismatch) { // which is another job of the same second and letters
			return Job{}, err
		}
	}
}

// newID is the time in UTC, for people and for sorting, and 15 random bits, for jobs of one second.
func newID(now time.Time) string {
	return now.Format("20060102-150405-") + strings.ToLower(rand.Text()[:3])
}

func (j *Jobs) store(ctx context.Context, job Job, revision uint64) error {
	data, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("encode job %s: %w", job.ID, err)
	}
	_, err = j.bucket.write(ctx, jobKey(job), data, revision)
	return err
}

func jobKey(job Job) string { return stream.Escape(job.Kind) + "." + stream.Escape(job.ID) }

// Find is the job with this id. Errors: ErrNoJob; one that cannot be read says how to remove it.
func (j *Jobs) Find(ctx context.Context, id string) (Job, error) {
	job, _, err := j.find(ctx, id)
	return job, err
}

func (j *Jobs) find(ctx context.Context, id string) (Job, uint64, error) {
	found, err := j.bucket.read(ctx, "*."+stream.Escape(id))
	if err != nil {
		return Job{}, 0, err
	}
	if found.revision == 0 {
		return Job{}, 0, fmt.Errorf("job %s: %w", id, ErrNoJob)
	}
	job, err := decodeJob(found.key, found.value)
	return job, found.revision, err
}

// decodeJob reads a document; when it cannot be read the job says so.
func decodeJob(key string, data []byte) (Job, error) {
	var job Job
	err := json.Unmarshal(data, &job)
	if err == nil && jobKey(job) != key {
		err = errors.New("it is another job's")
	}
	if err == nil {
		return job, nil
	}
	kind, id, _ := strings.Cut(key, ".")
	err = fmt.Errorf("read job %s: %w; remove it with: nats kv del %s %s", id, err, JobBucket, key)
	return Job{ID: id, Kind: kind, State: Failed, Problem: err.Error()}, err
}

// Change reads a job, lets edit change it, and stores it unless another process stored it meanwhile; then it begins again with what
// that one stored, so that no change is lost. edit may run several times. What it does to ID, Kind, Source and the times is ignored;
// its error is returned with nothing stored. Errors: ErrNoJob, ErrEnded, ErrTransition. After an error of NATS the change may or may not
// be stored: find the job, or change it again.
func (j *Jobs) Change(ctx context.Context, id string, edit func(*Job) error) (Job, error) {
	for {
		before, revision, err := j.find(ctx, id)
		if err != nil {
			return Job{}, err
		}
		job := before
		if before.Plan != nil {
			plan := *before.Plan
			job.Plan = &plan
		}
		if before.State.Ended() {
			return before, fmt.Errorf("job %s: %w; it is %s", id, ErrEnded, before.State)
		}
		if err := edit(&job); err != nil {
			return before, err
		}
		if err := j.settle(before, &job); err != nil {
			return before, err
		}
		err = j.store(ctx, job, revision)
		if err == nil {
			return job, nil
		}
		if !errors.Is(err, errMismatch) {
			return Job{}, err
		}
	}
}

// settle refuses a state that cannot follow, and sets what is not the caller's to set.
func (j *Jobs) settle(before Job, job *Job) error {
	if err := allowed(before.State, job.State); err != nil {
		return fmt.Errorf("job %s: %w", before.ID, err)
	}
	now := j.now().UTC()
	job.ID, job.Kind, job.Source = before.ID, before.Kind, before.Source
	job.Created, job.Started, job.Ended, job.Updated = before.Created, before.Started, before.Ended, now
	if job.State == Running && job.Started.IsZero() {
		job.Started = now
	}
	if job.State.Ended() {
		job.Ended = now
	}
	return nil
}

// List is every job, newest first. One whose document cannot be read is Failed, with the reason as its Problem. Changes made meanwhile
// may or may not be in it.
func (j *Jobs) List(ctx context.Context) ([]Job, error) {
	var stored uint64
	requests := []string{apiPrefix + "STREAM.INFO." + streamName(JobBucket)}
	err := j.bucket.conn.Call(ctx, "list the jobs", requests, func(ctx context.Context) error {
		info, err := j.bucket.stream.Info(ctx)
		if err == nil {
			stored = info.State.Msgs
		}
		return err //nolint:wrapcheck // Call says what it was
	})
	if err != nil || stored == 0 {
		return nil, err
	}
	jobs := map[string]Job{} // one that is changed meanwhile is seen twice
	if err := j.scan(ctx, math.MaxUint64, func(key string, job Job) error {
		jobs[key] = job
		return nil
	}); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(jobs), func(a, b Job) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	}), nil
}

// watchWait is how long Watch waits before it asks again after an outage.
const watchWait = time.Second

// Watch hands every job to fn, and from then on each that changes, until ctx ends, through outages of NATS. States that followed each
// other quickly may be skipped, the newest never; after a long outage every job comes again. Jobs that cannot be read
// come as in List. Errors: fn's, *stream.PermissionError, *stream.TopologyError; nil when ctx ended.
func (j *Jobs) Watch(ctx context.Context, fn func(Job) error) error {
	for wait := time.Duration(0); pause(ctx, wait); wait = watchWait {
		var failed error
		err := j.scan(ctx, 0, func(_ string, job Job) error {
			failed = fn(job)
			return failed
		})
		switch {
		case failed != nil:
			return failed
		case final(err) && ctx.Err() == nil:
			return err
		}
	}
	return nil
}

// scan hands over the jobs as they are stored, up to a sequence; 0 goes on for ever.
func (j *Jobs) scan(ctx context.Context, last uint64, fn func(key string, job Job) error) error {
	prefix := subjectPrefix(JobBucket)
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{prefix + ">"}, DeliverPolicy: jetstream.DeliverAllPolicy}
	return j.bucket.conn.Scan(ctx, streamName(JobBucket), cfg, last, func(m jetstream.Msg, _ *jetstream.MsgMetadata) (bool, error) {
		if m.Headers().Get(operation) != "" {
			return true, nil
		}
		key := strings.TrimPrefix(m.Subject(), prefix)
		job, _ := decodeJob(key, m.Data()) // the job says why
		return true, fn(key, job)
	})
}
