package loader

import (
	"context"
	"sync/atomic"
	"time"

	"juliu/pkg/stream"
)

// gate is the consumer of a replay: it pulls only when the live flow leaves room and no faster than asked, and hands on what is wanted.
type gate struct {
	*stream.Replay

	live *held
	// own means that the replay has a sink of its own, which an outage of the live one does not touch.
	own     bool
	pace    *pace // nil when there is no limit
	skipped atomic.Uint64
}

func newGate(r *stream.Replay, live *held, spec Replay, now func() time.Time) *gate {
	g := &gate{Replay: r, live: live, own: spec.Sink != ""}
	if spec.Rate > 0 {
		share := float64(spec.Plan.Chosen) / float64(max(spec.Plan.Passed, 1)) // what is skipped does not count
		g.pace = &pace{rate: float64(spec.Rate) / share, now: now, taken: func(ctx context.Context) (uint64, error) {
			standing, err := r.Standing(ctx)
			return standing.Deliveries, err
		}}
	}
	return g
}

// sip is how many records a replay pulls at once while live ones come: what is on the way delays them.
const sip = 64

// Run is that of stream.Consumer.
func (g *gate) Run(intake, work context.Context, room func(context.Context) int, handle func(stream.Delivery)) error {
	some := func(ctx context.Context) int {
		free := room(ctx)
		if free == 0 || !g.live.quiet(ctx, g.own) {
			return 0
		}
		if g.live.flows() {
			free = min(free, sip)
		}
		if g.pace != nil {
			return g.pace.allow(ctx, free)
		}
		return free
	}
	return g.Replay.Run(intake, work, some, func(d stream.Delivery) {
		if g.Wants(d.Sequence) {
			handle(d)
			return
		}
		// When the server does not hear it, it comes again, to be skipped again.
		if err := d.Ack(); err == nil && g.Within(d.Sequence) {
			g.skipped.Add(1)
		}
	})
}

// pace bounds how many records all loaders take a second. They see one count, the server's, and so need not know of one another.
type pace struct {
	rate  float64
	now   func() time.Time
	taken func(context.Context) (uint64, error)

	// at and from are a time and what the count was to be then.
	at   time.Time
	from float64
}

const (
	// paceWait is how long to wait at least before the count is looked at again.
	paceWait = 100 * time.Millisecond
	// paceBurst is how much of what was not taken in time may be taken later.
	paceBurst = time.Second
)

// allow waits until the count lags behind the rate, and returns how many may be taken; 0 when ctx ends first.
func (p *pace) allow(ctx context.Context, most int) int {
	for ctx.Err() == nil {
		taken, err := p.taken(ctx)
		now := p.now()
		if err == nil {
			if p.at.IsZero() {
				p.at, p.from = now, float64(taken)
			}
			due := p.from + p.rate*now.Sub(p.at).Seconds()
			due = min(due, float64(taken)+max(p.rate*paceBurst.Seconds(), 1))
			p.at, p.from = now, due
			if n := int(due - float64(taken)); n > 0 {
				return min(n, most)
			}
		}
		wait(ctx, nil, paceWait)
	}
	return 0
}
