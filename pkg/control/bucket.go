package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/stream"
)

const (
	apiPrefix = "$JS.API."
	// operation is the header of a deletion's marker (ADR-8 of NATS, "JetStream based Key-Value Stores").
	operation = "KV-Operation"
)

// errMismatch means that another write came first. Nothing was stored.
var errMismatch = errors.New("the key has another revision")

// bucket is a key-value bucket whose reads are answered by the leader and whose writes all compare and set.
type bucket struct {
	conn   *stream.Conn
	name   string
	stream jetstream.Stream
	kv     jetstream.KeyValue
}

// entry is what a key holds; the zero entry is nothing, also after a deletion.
type entry struct {
	key      string
	value    []byte
	revision uint64
}

// openBucket binds; *stream.TopologyError when the bucket is missing, or differs from want in what a promise rests on.
func openBucket(ctx context.Context, conn *stream.Conn, name string, want jetstream.StreamConfig) (*bucket, error) {
	what := "open bucket " + name
	s, err := stream.OpenStream(ctx, conn, want)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	b := &bucket{conn: conn, name: name, stream: s}
	return b, conn.Call(ctx, what, []string{apiPrefix + "STREAM.INFO." + want.Name}, func(ctx context.Context) error {
		var err error
		b.kv, err = conn.JetStream().KeyValue(ctx, name)
		return err //nolint:wrapcheck // Call says what it was
	})
}

// ttl is after how long the bucket forgets a key; 0 means never.
func (b *bucket) ttl() time.Duration { return b.stream.CachedInfo().Config.MaxAge }

// read is the newest entry of a key as the leader has it. The key may have wildcards.
func (b *bucket) read(ctx context.Context, key string) (entry, error) {
	var found entry
	requests := []string{apiPrefix + "STREAM.MSG.GET." + streamName(b.name)}
	err := b.conn.Call(ctx, "read "+b.name, requests, func(ctx context.Context) error {
		m, err := b.stream.GetLastMsgForSubject(ctx, subjectPrefix(b.name)+key)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err == nil && m.Header.Get(operation) == "" {
			found = entry{key: strings.TrimPrefix(m.Subject, subjectPrefix(b.name)), value: m.Data, revision: m.Sequence}
		}
		return err //nolint:wrapcheck // Call says what it was
	})
	return found, err
}

// keys are the names that the bucket holds, deleted ones among them, in their order.
func (b *bucket) keys(ctx context.Context) ([]string, error) {
	var keys []string
	requests := []string{apiPrefix + "STREAM.INFO." + streamName(b.name)}
	err := b.conn.Call(ctx, "list "+b.name, requests, func(ctx context.Context) error {
		info, err := b.stream.Info(ctx, jetstream.WithSubjectFilter(subjectPrefix(b.name)+">"))
		if err != nil {
			return err //nolint:wrapcheck // Call says what it was
		}
		for subject := range info.State.Subjects {
			keys = append(keys, strings.TrimPrefix(subject, subjectPrefix(b.name)))
		}
		return nil
	})
	slices.Sort(keys)
	return keys, err
}

// write stores a value over a revision, 0 being none, and returns the new revision; errMismatch when the key has another one. After any
// other error it may or may not be stored.
func (b *bucket) write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	var stored uint64
	err := b.change(ctx, key, func(ctx context.Context) error {
		var err error
		if revision == 0 {
			stored, err = b.kv.Create(ctx, key, value)
		} else {
			stored, err = b.kv.Update(ctx, key, value, revision)
		}
		return err //nolint:wrapcheck // Call says what it was
	})
	return stored, err
}

// remove deletes a key of this revision; errMismatch when it has another one.
func (b *bucket) remove(ctx context.Context, key string, revision uint64) error {
	return b.change(ctx, key, func(ctx context.Context) error {
		return b.kv.Delete(ctx, key, jetstream.LastRevision(revision))
	})
}

func (b *bucket) change(ctx context.Context, key string, fn func(context.Context) error) error {
	// Create reads too, when the key was deleted.
	requests := []string{subjectPrefix(b.name) + key, apiPrefix + "STREAM.MSG.GET." + streamName(b.name)}
	err := b.conn.Call(ctx, "write "+b.name, requests, fn)
	var api *jetstream.APIError
	// A replicated stream says it with another code while a write to the key is under way.
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) ||
		errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant {
		return errMismatch
	}
	return err
}

// final tells errors that waiting does not cure: a right, the bucket or the whole connection is missing.
func final(err error) bool {
	var exit interface{ ExitCode() int }
	return errors.As(err, &exit)
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
