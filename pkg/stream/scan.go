package stream

import (
	"context"
	"errors"
	"fmt"
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
	// scanQuiet is after how long without a message a pass asks whether there are any left.
	scanQuiet = 2 * time.Second
)

// scan hands the stored messages to fn, oldest first, up to and including the sequence last; 0 means for ever. It resumes by itself
// where it was interrupted. fn returns false to stop.
func (c *Conn) scan(ctx context.Context, cfg jetstream.OrderedConsumerConfig, last uint64, fn func(jetstream.Msg, *jetstream.MsgMetadata) (bool, error)) error {
	ctx, done := c.calls.begin(ctx, apiPrefix+"CONSUMER.")
	defer done()
	cfg.MaxResetAttempts = scanResets
	cfg.ReplayPolicy = jetstream.ReplayInstantPolicy
	consumer, err := c.js.OrderedConsumer(ctx, Stream, cfg)
	if err != nil {
		return c.explain(ctx, "read stream "+Stream, err)
	}
	prefetch := scanPrefetch
	if cfg.HeadersOnly {
		prefetch = scanHeadersPrefetch
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetch))
	if err != nil {
		return c.explain(ctx, "read stream "+Stream, err)
	}
	defer messages.Stop()
	left := func() (uint64, error) {
		info, err := consumer.Info(ctx)
		if err != nil {
			return 0, c.explain(ctx, "read stream "+Stream, err)
		}
		return info.NumPending, nil
	}
	return c.scanMessages(ctx, messages, last, left, fn)
}

func (c *Conn) scanMessages(ctx context.Context, messages jetstream.MessagesContext, last uint64, left func() (uint64, error), fn func(jetstream.Msg, *jetstream.MsgMetadata) (bool, error)) error {
	for {
		m, err := next(ctx, messages)
		if errors.Is(err, nats.ErrTimeout) && ctx.Err() == nil {
			// Nothing came for a while. That is the end when the last message was deleted on the way, and normal when following.
			if last == 0 {
				continue
			}
			if n, err := left(); err != nil || n == 0 {
				return err
			}
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return c.explain(ctx, "read stream "+Stream, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", Stream, err)
		}
		if last != 0 && meta.Sequence.Stream > last {
			return nil
		}
		if on, err := fn(m, meta); err != nil || !on {
			return err
		}
		if last != 0 && (meta.Sequence.Stream >= last || meta.NumPending == 0) {
			return nil
		}
	}
}

// next waits for a message, or returns nats.ErrTimeout when none came for scanQuiet.
func next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	quiet, cancel := context.WithTimeoutCause(ctx, scanQuiet, nats.ErrTimeout)
	defer cancel()
	m, err := messages.Next(jetstream.NextContext(quiet))
	if err != nil && errors.Is(context.Cause(quiet), nats.ErrTimeout) {
		return nil, nats.ErrTimeout
	}
	return m, err //nolint:wrapcheck // scanMessages wraps it
}

// lastMatch is the last message whose subject matches; nil when there is none.
func (c *Conn) lastMatch(ctx context.Context, filter string) (*jetstream.RawStreamMsg, error) {
	s, err := c.stream(ctx, Stream)
	if err != nil {
		return nil, err
	}
	ctx, done := c.calls.begin(ctx, apiPrefix+"STREAM.MSG.GET."+Stream)
	defer done()
	m, err := s.GetLastMsgForSubject(ctx, filter)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	return m, c.explain(ctx, "look up the last message of "+filter, err)
}
