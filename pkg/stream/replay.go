package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// replayIdle is after how long the server forgets a replay that nobody takes from, e.g. because it is paused.
const replayIdle = 7 * 24 * time.Hour

// ReplayConsumer is the durable of a replay.
func ReplayConsumer(id string) string { return "replay-" + id }

// CreateReplay creates the durable that hands out what the plan chose, and stores which those are. Loaders open it by OpenReplay. The server
// forgets it when nobody has taken from it for seven days. Errors: *PermissionError, ErrTooLarge when the list of the chosen is.
func CreateReplay(ctx context.Context, c *Conn, id string, p ReplayPlan) error {
	if p.Listed {
		packed, err := p.wanted.pack()
		if err != nil {
			return err
		}
		if err := c.putObject(ctx, ReplayConsumer(id), packed); err != nil {
			return err
		}
	}
	cfg := liveConsumer()
	cfg.Durable, cfg.Description = ReplayConsumer(id), "juliu: a replay"
	cfg.FilterSubject = p.Filter
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, max(p.First, 1)
	cfg.InactiveThreshold = replayIdle
	ctx, done := c.calls.ask(ctx, apiPrefix+"CONSUMER.CREATE."+Stream+"."+cfg.Durable)
	defer done()
	_, err := c.js.CreateConsumer(ctx, Stream, cfg)
	return c.explain(ctx, "create consumer "+cfg.Durable, err)
}

// RemoveReplay removes what CreateReplay created. It may be called again, and by several at once.
func RemoveReplay(ctx context.Context, c *Conn, id string, p ReplayPlan) error {
	within, done := c.calls.ask(ctx, apiPrefix+"CONSUMER.DELETE."+Stream+"."+ReplayConsumer(id))
	defer done()
	err := c.js.DeleteConsumer(within, Stream, ReplayConsumer(id))
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return c.explain(within, "delete consumer "+ReplayConsumer(id), err)
	}
	if !p.Listed {
		return nil
	}
	within, done = c.calls.ask(ctx, apiPrefix+"STREAM.", "$O."+PayloadBucket+".")
	defer done()
	store, err := c.js.ObjectStore(within, PayloadBucket)
	if err == nil {
		err = store.Delete(within, ReplayConsumer(id))
	}
	if errors.Is(err, jetstream.ErrObjectNotFound) || errors.Is(err, nats.ErrNoResponders) {
		return nil
	}
	return c.explain(within, "delete "+ReplayConsumer(id)+" of "+PayloadBucket, err)
}

// Replay is a Consumer of a replay. What it hands out and does not want is to be acknowledged all the same.
type Replay struct {
	*Consumer

	plan   ReplayPlan
	wanted *sequences // nil wants all up to plan.Last
}

// OpenReplay binds to a replay. Errors: *TopologyError when it was removed, or the server has forgotten it.
func OpenReplay(ctx context.Context, c *Conn, id string, p ReplayPlan) (*Replay, error) {
	consumer, err := OpenConsumer(ctx, c, ReplayConsumer(id))
	if err != nil {
		return nil, err
	}
	r := &Replay{Consumer: consumer, plan: p}
	if !p.Listed {
		return r, nil
	}
	packed, err := c.object(ctx, ReplayConsumer(id))
	if errors.Is(err, ErrNotYet) { // it is stored before the consumer is created, and removed after it
		return nil, &TopologyError{Differences: []string{"object " + ReplayConsumer(id) + " of " + PayloadBucket + " is gone"}}
	}
	if err == nil {
		r.wanted, err = unpackSequences(packed)
	}
	return r, err
}

// Within reports whether a delivery was stored when the replay was planned.
func (r *Replay) Within(sequence uint64) bool { return sequence <= r.plan.Last }

// Wants reports whether a delivery is to be written. Others, which the server could not leave out, and those that were stored after the
// replay was planned, are not.
func (r *Replay) Wants(sequence uint64) bool {
	return r.Within(sequence) && (r.wanted == nil || r.wanted.has(sequence))
}

// Standing is how far a replay is.
type Standing struct {
	// Deliveries counts what was handed out to whomever, repetitions too.
	Deliveries uint64
	// Over means that everything up to the last record is settled.
	Over bool
}

// Standing asks the server. Errors: *TopologyError when the replay was removed, *PermissionError.
func (r *Replay) Standing(ctx context.Context) (Standing, error) {
	k, err := r.conn.consumer(ctx, r.durable)
	if err != nil {
		return Standing{}, err
	}
	info := k.CachedInfo()
	settled := info.AckFloor.Stream >= r.plan.Last
	nothingLeft := info.NumPending == 0 && info.NumAckPending == 0 // the last records have expired
	return Standing{Deliveries: info.Delivered.Consumer, Over: settled || nothingLeft}, nil
}
