package control

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/stream"
)

// Names of the buckets.
const (
	// LeaseBucket holds who works, one key a source.
	LeaseBucket = "juliu-leases"
	// JobBucket holds the jobs, one key <kind>.<id> each.
	JobBucket = "juliu-jobs"
	// TokenBucket holds the ERP's tokens, sealed, one key a source.
	TokenBucket = "juliu-tokens"
)

// LeaseTTL is after how long the server gives the lease of a silent holder away. Three renewals fit into it, so a restart of the server
// or a new leader of its cluster, two or three seconds, does not end a holder; and a crash costs no more than one round of windows.
const LeaseTTL = 6 * time.Second

// Provision creates the buckets that are missing and changes what differs, and returns what it did, one thing a line; nothing when all
// was well. Replicas is 1, 3 or 5; 0 means 1. It is the one owner of these configurations. Errors: *stream.PermissionError; while
// JetStream is not up yet it tries again, at most 30 seconds long.
func Provision(ctx context.Context, conn *stream.Conn, replicas int) ([]string, error) {
	var changes []string
	for _, want := range []jetstream.StreamConfig{leaseStream(), jobStream(), tokenStream()} {
		want.Replicas = max(replicas, 1)
		done, err := stream.ProvisionStream(ctx, conn, want)
		if err != nil {
			return changes, err
		}
		changes = append(changes, done...)
	}
	return changes, nil
}

func leaseStream() jetstream.StreamConfig {
	return bucketStream(LeaseBucket, "juliu: who works, one key a source", LeaseTTL)
}

func jobStream() jetstream.StreamConfig {
	return bucketStream(JobBucket, "juliu: jobs of the operators, one key each", 0)
}

func tokenStream() jetstream.StreamConfig {
	return bucketStream(TokenBucket, "juliu: the ERP's tokens, sealed, one key a source", 0)
}

// dedupeWindow is the server's default; nothing here is published with an id.
const dedupeWindow = 2 * time.Minute

// bucketStream is the stream of a key-value bucket, as the client creates it (nats.go 1.55, prepareKeyValueConfig) but for direct gets: a
// follower that lags may answer those.
func bucketStream(bucket, description string, ttl time.Duration) jetstream.StreamConfig {
	window := dedupeWindow
	if ttl > 0 {
		window = min(window, ttl)
	}
	return jetstream.StreamConfig{
		Name:        streamName(bucket),
		Description: description,
		Subjects:    []string{subjectPrefix(bucket) + ">"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxAge:      ttl,
		MaxBytes:    -1,
		MaxMsgs:     -1, MaxMsgsPerSubject: 1, MaxMsgSize: -1,
		Duplicates:  window,
		AllowRollup: true,
		DenyDelete:  true,
		AllowDirect: false,
	}
}

func streamName(bucket string) string { return "KV_" + bucket }

func subjectPrefix(bucket string) string { return "$KV." + bucket + "." }
