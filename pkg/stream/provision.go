package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/logging"
)

const (
	provisionPatience = 30 * time.Second
	provisionWait     = 250 * time.Millisecond
	// minAPILevel is the JetStream API of nats-server 2.14, the oldest that batches with deduplication and surfaces disk errors.
	minAPILevel = 4
	minPayload  = 1 << 20
)

// Provision creates what is missing and changes what differs, and returns what it did, one thing a line; nothing when all was well. It
// is the one owner of these configurations: services only bind. It never deletes a stream or a consumer; a shorter MaxAge or a
// smaller MaxBytes is carried out and named. While JetStream is not up yet it tries again, at most 30 seconds long.
func Provision(ctx context.Context, c *Conn, l Limits) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, provisionPatience)
	defer cancel()
	var changes []string
	steps := []func(context.Context, *Conn, Limits) ([]string, error){
		func(ctx context.Context, c *Conn, l Limits) ([]string, error) {
			return provisionStream(ctx, c, recordStream(l))
		},
		func(ctx context.Context, c *Conn, l Limits) ([]string, error) {
			return provisionStream(ctx, c, deadLetterStream(l))
		},
		func(ctx context.Context, c *Conn, l Limits) ([]string, error) {
			return provisionStream(ctx, c, auditStream(l))
		},
		provisionPayloads,
		provisionConsumer,
	}
	for _, step := range steps {
		done, err := whenUp(ctx, c, func(ctx context.Context) ([]string, error) { return step(ctx, c, l) })
		if err != nil {
			return changes, err
		}
		changes = append(changes, done...)
	}
	return changes, c.warnAboutServer(ctx)
}

// ProvisionStream is Provision for one stream that another package owns: it creates the stream or changes what differs in the settings
// that promises rest on or that operators decide, and returns what it did, one thing a line.
func ProvisionStream(ctx context.Context, c *Conn, want jetstream.StreamConfig) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, provisionPatience)
	defer cancel()
	return whenUp(ctx, c, func(ctx context.Context) ([]string, error) { return provisionStream(ctx, c, want) })
}

// whenUp repeats a step while JetStream is starting or has no leader yet.
func whenUp(ctx context.Context, c *Conn, step func(context.Context) ([]string, error)) ([]string, error) {
	for told := false; ; told = true {
		inner, done := c.calls.ask(ctx, apiPrefix)
		changes, err := step(inner)
		err = c.explain(inner, "provision", err)
		done()
		if err == nil || !starting(err) {
			return changes, err
		}
		if !told {
			c.log.WithError(err).Warn("JetStream is not ready; trying again")
		}
		if !pause(ctx, provisionWait) {
			return nil, fmt.Errorf("%w; enable JetStream on the server, and wait until its cluster has a leader", err)
		}
	}
}

// starting tells errors that pass when a server has finished its start.
func starting(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, errDisconnected) ||
		errors.As(err, &api) && api.Code == 503 && api.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabledForAccount
}

func provisionStream(ctx context.Context, c *Conn, want jetstream.StreamConfig) ([]string, error) {
	what := "stream " + want.Name
	s, err := c.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = c.js.CreateStream(ctx, want)
		return []string{what + ": created"}, wrap("create "+what, err)
	}
	if err != nil {
		return nil, wrap("look up "+what, err)
	}
	have := s.CachedInfo().Config
	next := have // what is not ours, such as placement and metadata, stays
	next.Description, next.Subjects, next.Storage, next.Retention = want.Description, want.Subjects, want.Storage, want.Retention
	next.MaxAge, next.MaxBytes, next.Discard, next.Replicas = want.MaxAge, want.MaxBytes, want.Discard, want.Replicas
	next.Compression, next.AllowAtomicPublish, next.AllowRollup = want.Compression, want.AllowAtomicPublish, want.AllowRollup
	next.AllowMsgTTL, next.AllowDirect, next.PersistMode = want.AllowMsgTTL, want.AllowDirect, want.PersistMode
	next.MaxMsgs, next.MaxMsgsPerSubject, next.MaxMsgSize = want.MaxMsgs, want.MaxMsgsPerSubject, want.MaxMsgSize
	next.SubjectTransform, next.Mirror, next.Sources = nil, nil, nil
	if want.Duplicates != 0 {
		next.Duplicates = want.Duplicates
	}
	if next.MaxAge > 0 {
		next.Duplicates = min(next.Duplicates, next.MaxAge)
	}
	changes := changed(what, slices.Concat(contract(have), tuning(have)), slices.Concat(contract(next), tuning(next)))
	if len(changes) == 0 {
		return nil, nil
	}
	if shorter(have.MaxAge, next.MaxAge) || have.MaxBytes != next.MaxBytes && next.MaxBytes > 0 && uint64(next.MaxBytes) < s.CachedInfo().State.Bytes {
		changes = append(changes, what+": the new limit may delete the oldest messages")
	}
	if _, err := c.js.UpdateStream(ctx, next); err != nil {
		return nil, fmt.Errorf("change %s (%s): %w", what, strings.Join(changes, ", "), err)
	}
	return changes, nil
}

// shorter tells whether an age limit becomes stricter; 0 is no limit.
func shorter(have, next time.Duration) bool { return next > 0 && (have == 0 || next < have) }

// changed lists the settings that differ, as a change.
func changed(what string, have, next []setting) []string {
	var changes []string
	for i, n := range next {
		if have[i].value != n.value {
			changes = append(changes, fmt.Sprintf("%s: %s %v -> %v", what, n.name, have[i].value, n.value))
		}
	}
	return changes
}

func provisionConsumer(ctx context.Context, c *Conn, _ Limits) ([]string, error) {
	what, want := "consumer "+LiveConsumer, liveConsumer()
	k, err := c.js.Consumer(ctx, Stream, LiveConsumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = c.js.CreateConsumer(ctx, Stream, want)
		return []string{what + ": created"}, wrap("create "+what, err)
	}
	if err != nil {
		return nil, wrap("look up "+what, err)
	}
	next := k.CachedInfo().Config
	changes := changed(what, slices.Concat(consumerContract(next, k.CachedInfo().Paused), consumerTuning(next)),
		slices.Concat(consumerContract(want, false), consumerTuning(want)))
	if len(changes) == 0 {
		return nil, nil
	}
	next.FilterSubject, next.FilterSubjects, next.DeliverPolicy, next.AckPolicy = want.FilterSubject, nil, want.DeliverPolicy, want.AckPolicy
	next.AckWait, next.MaxDeliver, next.MaxAckPending, next.BackOff = want.AckWait, want.MaxDeliver, want.MaxAckPending, nil
	next.HeadersOnly = false
	next.MaxRequestBatch, next.MaxRequestExpires, next.MaxRequestMaxBytes = 0, 0, 0 // any of them would refuse our pulls
	_, err = c.js.UpdateConsumer(ctx, Stream, next)
	if err == nil && k.CachedInfo().Paused {
		_, err = c.js.ResumeConsumer(ctx, Stream, LiveConsumer) // an update does not
	}
	return changes, wrap("change "+what, err)
}

func provisionPayloads(ctx context.Context, c *Conn, l Limits) ([]string, error) {
	what, want := "object store "+PayloadBucket, payloadStore(l)
	have, err := c.js.ObjectStore(ctx, PayloadBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		_, err = c.js.CreateObjectStore(ctx, want)
		return []string{what + ": created"}, wrap("create "+what, err)
	}
	if err != nil {
		return nil, wrap("look up "+what, err)
	}
	status, err := have.Status(ctx)
	if err != nil {
		return nil, wrap("look up "+what, err)
	}
	changes := changed(what,
		[]setting{{"ttl", status.TTL().String()}, {"num_replicas", status.Replicas()}},
		[]setting{{"ttl", want.TTL.String()}, {"num_replicas", want.Replicas}})
	if len(changes) == 0 {
		return nil, nil
	}
	_, err = c.js.UpdateObjectStore(ctx, want)
	return changes, wrap("change "+what, err)
}

// warnAboutServer logs what a server lacks for the promises to hold. How often a server syncs to disk it does not tell its clients.
func (c *Conn) warnAboutServer(ctx context.Context) error {
	ctx, done := c.calls.ask(ctx, apiPrefix+"INFO")
	defer done()
	account, err := c.js.AccountInfo(ctx)
	if err != nil {
		return c.explain(ctx, "ask for the JetStream account", err)
	}
	if account.API.Level < minAPILevel {
		c.log.WithField(logging.ServerVersion, c.nc.ConnectedServerVersion()).WithField(logging.APILevel, account.API.Level).
			Warn("the NATS server is older than 2.14, for which juliu's promises are tested; upgrade it")
	}
	if c.nc.MaxPayload() < minPayload {
		c.log.WithField(logging.MaxPayload, c.nc.MaxPayload()).
			Warn("the NATS server's max_payload is below 1 MiB: many orders will be compressed or stored as objects; raise it")
	}
	return nil
}

// wrap is fmt.Errorf for what may be nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
