package juliu

import (
	"context"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/stream"
)

// look is how all stood at one moment.
type look struct {
	// at is the server's clock: nothing is stored by that of whoever looks.
	at      time.Time
	server  string
	up      bool
	stream  stream.Snapshot
	oldest  time.Time
	sources []stream.SourceState
	// holders are who holds each lease.
	holders map[string]control.Holder
	jobs    []control.Job
}

// look asks NATS.
func (d desk) look(ctx context.Context) (look, error) {
	l := look{server: d.conn.Server().Address}
	var err error
	if l.up, err = isUp(d.data); err != nil {
		return l, err
	}
	if l.stream, err = stream.TakeSnapshot(ctx, d.conn); err != nil {
		return l, err
	}
	if l.at = l.stream.At.UTC(); l.at.IsZero() {
		l.at = d.app.Now().UTC()
	}
	if l.oldest, err = stream.OldestWaiting(ctx, d.conn, l.stream); err != nil {
		return l, err
	}
	if l.sources, err = stream.Sources(ctx, d.conn); err != nil {
		return l, err
	}
	if l.holders, err = holders(ctx, d.conn); err != nil {
		return l, err
	}
	l.jobs, err = d.jobs.List(ctx)
	return l, err
}

// holders are who holds the leases of all sources.
func holders(ctx context.Context, conn *stream.Conn) (map[string]control.Holder, error) {
	leases, err := control.OpenLeases(ctx, conn, silence())
	if err != nil {
		return nil, err
	}
	return leases.All(ctx)
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
