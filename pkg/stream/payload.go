package stream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// MaxPayload is the largest row in bytes, uncompressed: more is never decompressed or fetched.
	MaxPayload = 64 << 20
	// headroom is kept free in every message for the headers of a batch and of a dead letter.
	headroom = 4 << 10
	// largestChunk is the piece of an object that one message holds.
	largestChunk = 128 << 10
	// MaxBatch is how many bytes one commit publishes at most; what does not fit goes to the object store. A server holds a batch
	// in memory while it commits it, and queues 128 MB for a stream before it refuses (nats-server 2.11 and newer).
	MaxBatch = 32 << 20
)

// errUnreadable means that a stored message cannot be read, now or later: it is damaged, or nothing that this program knows.
var errUnreadable = errors.New("unreadable message")

// fit puts body into the message so that the message is no larger than limit: as it is, else compressed, else as an object that the
// message names. The object is stored before fit returns.
func (c *Conn) fit(ctx context.Context, m *nats.Msg, body []byte, limit int) error {
	if len(body) > MaxPayload {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(body), MaxPayload)
	}
	if m.Data = body; m.Size() <= limit {
		return nil
	}
	packed, err := compress(body)
	if err != nil {
		return err
	}
	m.Header.Set(HeaderEncoding, encodingZstd)
	if m.Data = packed; m.Size() <= limit {
		return nil
	}
	sum := sha256.Sum256(body)
	name := hex.EncodeToString(sum[:])
	m.Header.Set(HeaderObject, name)
	m.Data = nil
	return c.putObject(ctx, name, packed)
}

// putObject stores an object again even when it is there, so that it never expires before the message that names it.
func (c *Conn) putObject(ctx context.Context, name string, data []byte) error {
	ctx, done := c.calls.begin(ctx, apiPrefix+"STREAM.", "$O."+PayloadBucket+".")
	defer done()
	store, err := c.js.ObjectStore(ctx, PayloadBucket)
	if err == nil {
		chunks := &jetstream.ObjectMetaOptions{ChunkSize: uint32(min(largestChunk, c.nc.MaxPayload()-headroom))} //nolint:gosec // positive
		_, err = store.Put(ctx, jetstream.ObjectMeta{Name: name, Opts: chunks}, bytes.NewReader(data))
	}
	return c.explain(ctx, "store a large row in "+PayloadBucket, err)
}

// body is the body of a stored message, wherever and however it is kept. errUnreadable means that it is damaged for good, ErrNotYet that
// its object is not found; after any other error it may be tried again.
func (c *Conn) body(ctx context.Context, h nats.Header, data []byte) ([]byte, error) {
	name := h.Get(HeaderObject)
	if name != "" {
		var err error
		if data, err = c.object(ctx, name); err != nil {
			return nil, err
		}
	}
	switch encoding := h.Get(HeaderEncoding); encoding {
	case "":
	case encodingZstd:
		var err error
		if data, err = decompress(data); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
	default:
		return nil, fmt.Errorf("%w: unknown encoding %q", errUnreadable, encoding)
	}
	if name == "" {
		return data, nil
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != name {
		return nil, fmt.Errorf("%w: the object is not what its name says", errUnreadable)
	}
	return data, nil
}

func (c *Conn) object(ctx context.Context, name string) ([]byte, error) {
	ctx, done := c.calls.begin(ctx, apiPrefix, "$O."+PayloadBucket+".")
	defer done()
	store, err := c.js.ObjectStore(ctx, PayloadBucket)
	if err != nil {
		return nil, c.explain(ctx, "open "+PayloadBucket, err)
	}
	info, err := store.GetInfo(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fmt.Errorf("read %s of %s: %w", name, PayloadBucket, ErrNotYet)
	}
	if err != nil {
		return nil, c.explain(ctx, "look up an object of "+PayloadBucket, err)
	}
	if info.Size > MaxPayload {
		return nil, fmt.Errorf("%w: object of %d bytes", errUnreadable, info.Size)
	}
	data, err := store.GetBytes(ctx, name)
	return data, c.explain(ctx, "read an object of "+PayloadBucket, err)
}

func compress(data []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("prepare zstd: %w", err)
	}
	return w.EncodeAll(data, nil), nil
}

func decompress(data []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxPayload))
	if err != nil {
		return nil, fmt.Errorf("prepare zstd: %w", err)
	}
	defer r.Close()
	plain, err := r.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return plain, nil
}
