package stream

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/record"
)

// ReplayQuery says which stored records to hand out again. The zero value is all of them. Times are those of storing.
type ReplayQuery struct {
	// Resource, Source, Shop and Key choose records; empty means all.
	Resource, Source, Shop, Key string
	// FromSequence or From is where it begins; without both it is the oldest record.
	FromSequence uint64
	From         time.Time
	// To is where it ends, itself excluded; zero is the newest record there is.
	To time.Time
	// Newest leaves only the newest version of each key, of those chosen by the fields above.
	Newest bool
	// Match chooses among what is left by content; nil takes all. It costs reading every record.
	Match func(record.Record) bool
}

// ReplayPlan is what a ReplayQuery found.
type ReplayPlan struct {
	// Filter is the subject of what the server hands out, from sequence First to Last. Both are 0 when there is nothing.
	Filter string `json:"filter"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	// Passed is how many records that is, Chosen how many of them are wanted.
	Passed uint64 `json:"passed"`
	Chosen uint64 `json:"chosen"`
	// Listed means that Chosen is fewer than Passed.
	Listed bool `json:"listed,omitempty"`

	wanted *sequences
}

// PlanReplay counts what a replay would hand out. What the server can choose by itself costs milliseconds; Key and Newest cost a pass over
// headers, 60,000 records a second and more, and Newest 120 bytes of memory for each key; Match costs reading all. Errors: ErrReadOptions.
func PlanReplay(ctx context.Context, c *Conn, q ReplayQuery) (ReplayPlan, error) {
	o := ReadOptions{Resource: q.Resource, Source: q.Source, Shop: q.Shop, FromSequence: q.FromSequence, Since: q.From}
	plan := ReplayPlan{Filter: o.filter()}
	if q.Key != "" {
		plan.Filter = strings.TrimSuffix(plan.Filter, "*") + strconv.Itoa(record.Partition(q.Key))
	}
	start, _, err := c.start(ctx, o)
	if err != nil {
		return plan, err
	}
	start.FilterSubjects, start.HeadersOnly = []string{plan.Filter}, true
	last, err := c.lastMatch(ctx, plan.Filter)
	if err != nil || last == nil || last.Sequence < q.FromSequence || last.Time.Before(q.From) {
		return plan, err
	}
	plan.Last = last.Sequence
	if !q.To.IsZero() && !last.Time.Before(q.To) {
		if plan.Last, err = c.lastBefore(ctx, plan.Filter, q.To, last.Sequence); err != nil || plan.Last == 0 {
			return plan, err // and a pass up to 0 would never end
		}
	}
	if q.Key == "" && !q.Newest && q.Match == nil {
		return plan, c.countReplay(ctx, start, &plan)
	}
	return plan, c.chooseReplay(ctx, start, q, &plan)
}

// lastBefore is the sequence before the first message of a subject that was stored at a time or later; there is one, up to last.
func (c *Conn) lastBefore(ctx context.Context, filter string, to time.Time, last uint64) (uint64, error) {
	cfg := jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{filter}, HeadersOnly: true, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &to,
	}
	var late uint64
	err := c.scan(ctx, cfg, last, func(_ jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		late = meta.Sequence.Stream
		return false, nil
	})
	return max(late, 1) - 1, err
}

// countTries is how often records are counted until none was stored meanwhile.
const countTries = 20

// countReplay finds the first record, and how many there are, by the server's own counts.
func (c *Conn) countReplay(ctx context.Context, start jetstream.OrderedConsumerConfig, plan *ReplayPlan) error {
	last := plan.Last
	plan.First, plan.Last = 0, 0
	err := c.scan(ctx, start, last, func(_ jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		plan.First, plan.Last = meta.Sequence.Stream, last
		return false, nil
	})
	if err != nil || plan.First == 0 {
		return err
	}
	ctx, done := c.calls.begin(ctx, apiPrefix+"CONSUMER.")
	defer done()
	from := func(sequence uint64) (uint64, error) {
		cfg := start
		cfg.DeliverPolicy, cfg.OptStartTime, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, nil, sequence
		return c.countFrom(ctx, cfg)
	}
	for range countTries {
		before, err := from(last + 1)
		all, errAll := from(plan.First)
		after, errAfter := from(last + 1)
		if err := errors.Join(err, errAll, errAfter); err != nil {
			return c.explain(ctx, "count the records", err)
		}
		plan.Passed = all - min(after, all)
		if before == after {
			break
		}
	}
	plan.Chosen = plan.Passed
	return nil
}
