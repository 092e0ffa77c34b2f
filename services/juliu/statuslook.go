package juliu

import (
	"context"
	"encoding/json"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/stream"
)

// look is how all stood at one moment.
type look struct {
	at      time.Time
	server  string
	up      bool
	stream  stream.Snapshot
	sources []stream.SourceState
	// holders are who holds the lease of each source that somebody holds.
	holders map[string]control.Holder
	jobs    []control.Job
}

// look asks NATS.
func (d desk) look(ctx context.Context) (look, error) {
	l := look{at: d.app.Now().UTC(), server: d.conn.Server().Address}
	var err error
	if l.up, err = isUp(d.data); err != nil {
		return l, err
	}
	if l.stream, err = stream.TakeSnapshot(ctx, d.conn); err != nil {
		return l, err
	}
	if l.sources, err = stream.Sources(ctx, d.conn); err != nil {
		return l, err
	}
	if l.holders, err = holders(ctx, d.conn, l.sources); err != nil {
		return l, err
	}
	l.jobs, err = d.jobs.List(ctx)
	return l, err
}

// holders are who holds the leases of the sources.
func holders(ctx context.Context, conn *stream.Conn, sources []stream.SourceState) (map[string]control.Holder, error) {
	leases, err := control.OpenLeases(ctx, conn, silence())
	if err != nil {
		return nil, err
	}
	found := map[string]control.Holder{}
	for _, s := range sources {
		holder, held, err := leases.Current(ctx, s.Source)
		if err != nil {
			return nil, err
		}
		if held {
			found[s.Source] = holder
		}
	}
	return found, nil
}

// auditKind is the kind of the jobs that prove that nothing is missing.
const auditKind = "audit"

// lastAudit is the newest audit of a source that ran to its end; jobs come newest first.
func lastAudit(jobs []control.Job, source string) *auditLine {
	for _, job := range jobs {
		if job.Kind != auditKind || job.Source != source || job.State != control.Done {
			continue
		}
		line := &auditLine{Job: job.ID, Ended: job.Ended, Stored: job.Progress.Stored}
		_ = json.Unmarshal(job.Spec, line) // its window, where it has one
		return line
	}
	return nil
}

// openJobs are the jobs that have not ended.
func openJobs(jobs []control.Job) []control.Job {
	var open []control.Job
	for _, job := range jobs {
		if !job.State.Ended() {
			open = append(open, job)
		}
	}
	return open
}
