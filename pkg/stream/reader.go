package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ReadOptions say what to read. The zero value reads every record there is.
type ReadOptions struct {
	// Resource, Source and Shop choose records; empty means all.
	Resource, Source, Shop string
	// FromSequence begins at a sequence, Since at the time of storing, Last with that many records before the end. At most one of them
	// may be set; without any, reading begins with the oldest record.
	FromSequence uint64
	Since        time.Time
	Last         int
	// Limit stops after that many records; 0 means no limit.
	Limit int
	// Follow goes on with what is stored later, until the context ends.
	Follow bool
}

// ErrReadOptions means that the options contradict each other.
var ErrReadOptions = errors.New("choose one of the first sequence, the time and the number of last records")

// filter is the subject of the records chosen.
func (o ReadOptions) filter() string {
	token := func(text string) string {
		if text == "" {
			return "*"
		}
		return Escape(text)
	}
	return recordPrefix + token(o.Resource) + "." + token(o.Source) + "." + token(o.Shop) + ".*"
}

// Read hands stored records to fn in stream order and returns nil after the last record that was stored when it began, or after Limit.
// With Follow it returns when ctx ends. It leaves no trace: no consumer moves, and the deliveries need no Ack. An error of fn ends it.
func Read(ctx context.Context, c *Conn, o ReadOptions, fn func(Delivery) error) error {
	start, skip, err := c.start(ctx, o)
	if err != nil {
		return err
	}
	var last uint64
	if !o.Follow {
		m, err := c.lastMatch(ctx, o.filter())
		if err != nil || m == nil || m.Sequence < start.OptStartSeq || m.Time.Before(o.Since) {
			return err
		}
		last = m.Sequence
	}
	count := 0
	err = c.scan(ctx, start, last, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		if skip > 0 {
			skip--
			return true, nil
		}
		d, err := c.newDelivery(m, meta).Read(ctx)
		if err != nil {
			return false, err
		}
		if err := fn(d); err != nil {
			return false, err
		}
		count++
		return o.Limit == 0 || count < o.Limit, nil
	})
	if o.Follow && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// start is where reading begins, and how many records are left out there.
func (c *Conn) start(ctx context.Context, o ReadOptions) (jetstream.OrderedConsumerConfig, uint64, error) {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{o.filter()}}
	chosen := 0
	if o.FromSequence > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, o.FromSequence
		chosen++
	}
	if !o.Since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &o.Since
		chosen++
	}
	if o.Last > 0 {
		chosen++
	}
	switch {
	case chosen > 1:
		return cfg, 0, ErrReadOptions
	case o.Last > 0:
		return c.startLast(ctx, cfg, uint64(o.Last))
	default:
		return cfg, 0, nil
	}
}

// startLast goes back from the end in growing steps until at least n records lie ahead. Asking how many do costs the server a few
// milliseconds, whatever the stream's size.
func (c *Conn) startLast(ctx context.Context, cfg jetstream.OrderedConsumerConfig, n uint64) (jetstream.OrderedConsumerConfig, uint64, error) {
	s, err := c.stream(ctx, Stream)
	if err != nil {
		return cfg, 0, err
	}
	ctx, done := c.calls.begin(ctx, apiPrefix+"CONSUMER.")
	defer done()
	first, end := max(s.CachedInfo().State.FirstSeq, 1), s.CachedInfo().State.LastSeq
	cfg.DeliverPolicy = jetstream.DeliverByStartSequencePolicy
	for span := n; ; span *= 4 {
		cfg.OptStartSeq = first
		if first+span <= end {
			cfg.OptStartSeq = end - span + 1
		}
		ahead, err := c.countFrom(ctx, cfg)
		if err != nil {
			return cfg, 0, c.explain(ctx, "look for the last records", err)
		}
		if ahead >= n {
			return cfg, ahead - n, nil
		}
		if cfg.OptStartSeq == first {
			return cfg, 0, nil
		}
	}
}

// countFrom is how many records a reader that begins there would be given.
func (c *Conn) countFrom(ctx context.Context, cfg jetstream.OrderedConsumerConfig) (uint64, error) {
	consumer, err := c.js.CreateConsumer(ctx, Stream, jetstream.ConsumerConfig{
		FilterSubjects: cfg.FilterSubjects, DeliverPolicy: cfg.DeliverPolicy, OptStartSeq: cfg.OptStartSeq,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Second,
	})
	if err != nil {
		return 0, fmt.Errorf("count records: %w", err)
	}
	return consumer.CachedInfo().NumPending, nil
}
