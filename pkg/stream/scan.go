package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// scanPrefetch is how many messages a pass keeps on the way; with headers alone more of them fit.
	scanPrefetch        = 500
	scanHeadersPrefetch = 4000
	// scanResets is how often a pass resumes after an interruption, with growing waits: about 40 seconds in all.
	scanResets = 8
	// scanIdle is after how long the server forgets a pass that ended, or whose reader is slow; the latter resumes.
	scanIdle = 30 * time.Second
	// scanQuiet is after how long without a message a pass asks whether there are any left.
	scanQuiet = 2 * time.Second
)

// scan is Scan of the stream of records.
func (c *Conn) scan(ctx context.Context, cfg jetstream.OrderedConsumerConfig, last uint64, fn visit) error {
	return c.Scan(ctx, Stream, cfg, last, fn)
}

// Scan hands a stream's messages to fn, oldest first, up to and including the sequence last, or the newest one if that is before;
// last 0 means for ever. It resumes by itself where it was interrupted, for about 40 seconds. fn returns false to stop. Errors:
// *TopologyError when the stream is missing, *PermissionError, and fn's.
func (c *Conn) Scan(
	ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, last uint64, fn func(jetstream.Msg, *jetstream.MsgMetadata) (bool, error),
) error {
	ctx, done := c.calls.follow(ctx, apiPrefix+"CONSUMER.")
	defer done()
	cfg.MaxResetAttempts = scanResets
	cfg.InactiveThreshold = scanIdle
	consumer, err := c.js.OrderedConsumer(ctx, stream, cfg)
	if err != nil {
		return c.explain(ctx, "read stream "+stream, err)
	}
	prefetch := scanPrefetch
	if cfg.HeadersOnly {
		prefetch = scanHeadersPrefetch
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetch))
	if err != nil {
		return c.explain(ctx, "read stream "+stream, err)
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	defer messages.Stop()
	defer stop()
	p := pass{consumer: consumer, messages: messages, last: last}
	return c.explain(ctx, "read stream "+stream, p.run(ctx, fn))
}

// visit is told each message of a pass and says whether to go on.
type visit func(jetstream.Msg, *jetstream.MsgMetadata) (bool, error)

// pass is one reading of the stream.
type pass struct {
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	last     uint64 // sequence; 0 goes on for ever
	seen     uint64 // deliveries of the consumer
}

func (p *pass) run(ctx context.Context, fn visit) error {
	for {
		m, err := p.next(ctx)
		if errors.Is(err, nats.ErrTimeout) {
			// Nothing came for a while, which is normal when following. Otherwise the last message may have been deleted on the way.
			if over, err := p.over(ctx); err != nil || over {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err //nolint:wrapcheck // scan wraps it
		}
		p.seen = meta.Sequence.Consumer
		if p.last != 0 && meta.Sequence.Stream > p.last {
			return nil
		}
		if on, err := fn(m, meta); err != nil || !on {
			return err
		}
		if p.last != 0 && (meta.Sequence.Stream >= p.last || meta.NumPending == 0) {
			return nil
		}
	}
}

// next waits for a message, or returns nats.ErrTimeout when none came for scanQuiet.
//
//nolint:ireturn // nats.go hands out interfaces
func (p *pass) next(ctx context.Context) (jetstream.Msg, error) {
	m, err := p.messages.Next(jetstream.NextMaxWait(scanQuiet))
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err() //nolint:wrapcheck // scan wraps it
	}
	return m, err //nolint:wrapcheck // scan wraps it
}

// over tells that the server has nothing left that we have not seen.
func (p *pass) over(ctx context.Context) (bool, error) {
	if p.last == 0 {
		return false, nil
	}
	info, err := p.consumer.Info(ctx)
	if err != nil {
		return false, err //nolint:wrapcheck // scan wraps it
	}
	return info.NumPending == 0 && info.Delivered.Consumer <= p.seen, nil
}

// lastMatch is the last message whose subject matches; nil when there is none.
func (c *Conn) lastMatch(ctx context.Context, filter string) (*jetstream.RawStreamMsg, error) {
	s, err := c.stream(ctx, Stream)
	if err != nil {
		return nil, err
	}
	return leader{Conn: c, stream: s}.last(ctx, filter)
}
