package loader

import (
	"context"
	"fmt"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// open is the sink of the replay.
func (c *carrier) open(ctx context.Context) (sink.Sink, error) {
	target := replaySink{Sink: c.live.deps.Sink}
	if target.own = c.spec.Sink != ""; target.own {
		var err error
		if target.Sink, err = openSink(ctx, c.live.cfg.replayConfig(c.spec)); err != nil {
			return nil, fmt.Errorf("open the sink %s: %w", c.spec.Sink, err)
		}
	}
	if forcer, ok := target.Sink.(sink.Forcer); ok && c.spec.Force {
		target.force = forcer.Force
	}
	return target, nil
}

// replaySink is the live sink, which the live flow closes, or the replay's own.
type replaySink struct {
	sink.Sink

	own bool
	// force takes the place of Write; nil for a sink that writes what it is given anyway, and when nobody asked for it.
	force func(context.Context, []record.Record) error
}

// Write writes the batch, also over equal versions when asked to.
func (s replaySink) Write(ctx context.Context, batch []record.Record) error {
	if s.force != nil {
		return s.force(ctx, batch)
	}
	return s.Sink.Write(ctx, batch)
}

// Close closes the replay's own sink.
func (s replaySink) Close(ctx context.Context) error {
	if s.own {
		return s.Sink.Close(ctx)
	}
	return nil
}
