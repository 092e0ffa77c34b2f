package stream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Names of what juliu owns in JetStream.
const (
	// Stream holds records and checkpoints.
	Stream = "JUSHUITAN"
	// DeadLetterStream holds what could not be loaded.
	DeadLetterStream = "JUSHUITAN_DLQ"
	// AuditStream holds what operators did with dead letters.
	AuditStream = "JUSHUITAN_AUDIT"
	// LiveConsumer is the durable that all loaders share.
	LiveConsumer = "loader"
	// PayloadBucket is the object store of rows that are larger than a message may be.
	PayloadBucket = "juliu-payloads"

	payloadStream = "OBJ_" + PayloadBucket
)

// Limits is what an operator decides about the streams.
type Limits struct {
	// Replicas is 1, 3 or 5; 0 means 1.
	Replicas int
	// MaxAge is how long records can be replayed; 0 keeps them for ever.
	MaxAge time.Duration
	// MaxBytes is how large the stream may grow; at the limit commits are refused, nothing is deleted. 0 means no limit.
	MaxBytes int64
}

func (l Limits) replicas() int { return max(l.Replicas, 1) }

// recordStream is the stream of records and checkpoints. Every setting that differs from the server's default carries a promise.
func recordStream(l Limits) jetstream.StreamConfig {
	limit := l.MaxBytes
	if limit <= 0 {
		limit = -1
	}
	return jetstream.StreamConfig{
		Name:        Stream,
		Description: "juliu: records and checkpoints",
		Subjects:    []string{recordPrefix + ">", checkpointPrefix + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy, // what a loader acknowledged stays and can be replayed
		MaxAge:      l.MaxAge,
		MaxBytes:    limit,
		Discard:     jetstream.DiscardNew, // full: refuse the extractor, never delete what no loader has seen
		// Size and age are the only limits; one on numbers would delete, whatever Discard says.
		MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		Replicas:    l.replicas(),
		Compression: jetstream.S2Compression,
		// A page and its checkpoint are one act (server 2.12).
		AllowAtomicPublish: true,
		// Only the last checkpoint of a source stays ...
		AllowRollup: true,
		// ... and it outlives MaxAge, or an idle source would begin from scratch.
		AllowMsgTTL: true,
		// Direct gets may be answered by a follower that lags; the checkpoint must come from the leader.
		AllowDirect: false,
	}
}

// deadLetterWindow is for how long the same dead letter is kept once. Few letters, 130 bytes each: a day is cheap, and covers every
// re-read of a row that has no identity.
const deadLetterWindow = 24 * time.Hour

func deadLetterStream(l Limits) jetstream.StreamConfig {
	window := deadLetterWindow
	if l.MaxAge > 0 {
		window = min(window, l.MaxAge)
	}
	return jetstream.StreamConfig{
		Name:        DeadLetterStream,
		Description: "juliu: what could not be loaded, with the reason",
		Subjects:    []string{deadLetterPrefix + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		MaxAge:      l.MaxAge,
		MaxBytes:    -1,
		MaxMsgs:     -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		Discard:     jetstream.DiscardNew,
		Replicas:    l.replicas(),
		Compression: jetstream.S2Compression,
		Duplicates:  window,
	}
}

// auditStream keeps for ever, a few hundred bytes for each act, and the server lets nobody delete from it.
func auditStream(l Limits) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        AuditStream,
		Description: "juliu: what operators did with dead letters",
		Subjects:    []string{auditPrefix + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		MaxBytes:    -1,
		MaxMsgs:     -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		Discard:     jetstream.DiscardNew,
		Replicas:    l.replicas(),
		Compression: jetstream.S2Compression,
		DenyDelete:  true,
		DenyPurge:   true,
	}
}

// payloadMargin is how much longer than its record a large row is kept, because it is put before it.
const payloadMargin = 24 * time.Hour

func payloadStore(l Limits) jetstream.ObjectStoreConfig {
	age := l.MaxAge
	if age > 0 {
		age += payloadMargin
	}
	return jetstream.ObjectStoreConfig{
		Bucket:      PayloadBucket,
		Description: "juliu: rows larger than a message, named by their SHA-256",
		TTL:         age,
		Storage:     jetstream.FileStorage,
		Replicas:    l.replicas(),
	}
}

// liveConsumer is the durable that all loaders share.
func liveConsumer() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       LiveConsumer,
		Description:   "juliu: the loaders",
		FilterSubject: recordPrefix + ">",            // checkpoints are not for sinks
		DeliverPolicy: jetstream.DeliverAllPolicy,    // a sink begins with everything there is
		AckPolicy:     jetstream.AckExplicitPolicy,   // one order at a time is done or not
		ReplayPolicy:  jetstream.ReplayInstantPolicy, // as fast as the loaders take it
		AckWait:       30 * time.Second,              // a dead loader's share comes back soon; a live one says that it is in progress
		MaxDeliver:    -1,                            // a limit here would lose silently: the loader counts, and dead-letters first
		MaxAckPending: 16 << 10,                      // shared by all loaders, each of which holds up to 1024: sixteen of them
	}
}

// setting is one line of a configuration, for comparing and for telling.
type setting struct {
	name  string
	value any // comparable
}

// contract are the settings of a stream that promises rest on.
func contract(c jetstream.StreamConfig) []setting {
	return []setting{
		{"subjects", strings.Join(c.Subjects, " ")},
		{"storage", c.Storage.String()},
		{"retention", c.Retention.String()},
		{"discard", c.Discard.String()},
		{"allow_atomic", c.AllowAtomicPublish},
		{"allow_rollup_hdrs", c.AllowRollup},
		{"allow_msg_ttl", c.AllowMsgTTL},
		{"allow_direct", c.AllowDirect},
		{"max_msgs", c.MaxMsgs},
		{"max_msgs_per_subject", c.MaxMsgsPerSubject},
		{"max_msg_size", c.MaxMsgSize},
		{"subject_transform", c.SubjectTransform != nil},
		{"mirror", c.Mirror != nil},
		{"number of sources", len(c.Sources)},
		{"asynchronous persistence", c.PersistMode == jetstream.AsyncPersistMode},
	}
}

// tuning are the settings of a stream that the operator, or a later juliu, may change.
func tuning(c jetstream.StreamConfig) []setting {
	return []setting{
		{"num_replicas", c.Replicas},
		{"max_age", c.MaxAge.String()},
		{"max_bytes", c.MaxBytes},
		{"compression", c.Compression.String()},
		{"duplicate_window", c.Duplicates.String()},
		{"description", c.Description},
	}
}

// consumerContract are the settings of a consumer that promises rest on, and whether it is paused.
func consumerContract(c jetstream.ConsumerConfig, paused bool) []setting {
	return []setting{
		{"filter_subject", c.FilterSubject},
		{"deliver_policy", c.DeliverPolicy.String()},
		{"ack_policy", c.AckPolicy.String()},
		{"max_deliver", c.MaxDeliver},
		{"headers_only", c.HeadersOnly},
		{"backoff", fmt.Sprint(c.BackOff)},
		{"max_batch", c.MaxRequestBatch},
		{"max_expires", c.MaxRequestExpires.String()},
		{"max_bytes", c.MaxRequestMaxBytes},
		{"paused", paused},
	}
}

// consumerTuning are the settings of a consumer that loaders follow, whatever they are; provision sets them back.
func consumerTuning(c jetstream.ConsumerConfig) []setting {
	return []setting{
		{"ack_wait", c.AckWait.String()},
		{"max_ack_pending", c.MaxAckPending},
	}
}

// differences compares two lists of the same settings.
func differences(what string, have, want []setting) []string {
	var found []string
	for i, w := range want {
		if have[i].value != w.value {
			found = append(found, fmt.Sprintf("%s: %s is %v, not %v", what, w.name, have[i].value, w.value))
		}
	}
	return found
}

// stream looks a stream up.
//
//nolint:ireturn // nats.go hands out interfaces
func (c *Conn) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	ctx, done := c.calls.ask(ctx, apiPrefix+"STREAM.INFO."+name)
	defer done()
	s, err := c.js.Stream(ctx, name)
	return s, c.explain(ctx, "look up stream "+name, err)
}

// OpenStream looks a stream up; *TopologyError when it is missing, or differs in a setting that a promise rests on.
//
//nolint:ireturn // nats.go hands out interfaces
func OpenStream(ctx context.Context, c *Conn, want jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := c.stream(ctx, want.Name)
	if err != nil {
		return nil, err
	}
	if found := differences("stream "+want.Name, contract(s.CachedInfo().Config), contract(want)); len(found) > 0 {
		return nil, &TopologyError{Differences: found}
	}
	return s, nil
}

// consumer looks a durable of Stream up.
//
//nolint:ireturn // nats.go hands out interfaces
func (c *Conn) consumer(ctx context.Context, durable string) (jetstream.Consumer, error) {
	ctx, done := c.calls.ask(ctx, apiPrefix+"CONSUMER.INFO."+Stream+"."+durable)
	defer done()
	k, err := c.js.Consumer(ctx, Stream, durable)
	return k, c.explain(ctx, "look up consumer "+durable, err)
}

const apiPrefix = "$JS.API."
