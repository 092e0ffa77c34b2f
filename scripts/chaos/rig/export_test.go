package rig

import (
	"context"
	"io"
	"net/http"
	"syscall"
	"time"

	"juliu/pkg/chaos"
)

// Link is a link, for tests.
type Link struct{ *link }

// NewLink listens in front of an address.
func NewLink(ctx context.Context, to string) (Link, error) {
	l, err := newLink(ctx, to)
	return Link{l}, err
}

// Address is where clients connect.
func (l Link) Address() string { return l.address() }

// Set has the link do what a fault of links does; "" makes it well.
func (l Link) Set(kind string) error {
	if kind == "" {
		l.set(weather{})
		return nil
	}
	_, err := (&fleet{}).disturb(l.link, kind)
	return err
}

// Close ends the link.
func (l Link) Close() { l.close() }

// Daemon is a supervised process, for tests.
type Daemon struct{ *daemon }

// NewDaemon prepares a process.
func NewDaemon(name, log string, env []string, argv ...string) (Daemon, error) {
	d, err := newDaemon(name, log, env, argv...)
	return Daemon{d}, err
}

// Supervise runs it until ctx ends.
func (d Daemon) Supervise(ctx context.Context) { d.supervise(ctx) }

// Up lets it run.
func (d Daemon) Up() { d.up() }

// End ends it.
func (d Daemon) End(patience time.Duration) { d.end(syscall.SIGTERM, patience) }

// PID is 0 while there is none.
func (d Daemon) PID() int { return d.pid() }

// Ends is how often it ended by itself.
func (d Daemon) Ends() map[int]int { return d.ends() }

// NewReceiver is the webhook receiver without its server.
func NewReceiver(log io.Writer, now func() time.Time, poisoned bool) http.HandlerFunc {
	r := &receiver{now: now, log: log, poisoned: poisoned}
	return r.take
}

// Happening is a fault that struck.
func Happening(kind, victim string, struck, undone time.Time, before string, delivered uint64) happening {
	return happening{Step: Step{Kind: kind, Victim: victim}, Struck: struck, Undone: undone, Before: before, Delivered: delivered}
}

// Recovery measures what faults cost.
func Recovery(h chaos.History, done ...happening) map[string]Spread { return recovery(done, h) }
