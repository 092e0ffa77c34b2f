package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"google.golang.org/protobuf/proto"

	"juliu/pkg/failpoint"
	"juliu/pkg/record"
)

// MaxRecords is how many records one Commit takes: a server's batch of 1,000 messages (nats-server 2.12 and newer) less the checkpoint.
const MaxRecords = 999

const (
	// ackPatience is how long one attempt waits for the server. Longer than any disk should need for MaxBatch; an attempt given up is
	// resolved by reading back.
	ackPatience = 10 * time.Second
	// reserve is the share of MaxBatch that is kept for each message that follows.
	reserve = headroom
)

// encode makes the messages of a commit. Bodies that are too large for the server, or for the batch, are stored before it returns.
func (c *Conn) encode(ctx context.Context, records []record.Record) ([]*nats.Msg, error) {
	largest := int(c.nc.MaxPayload()) - headroom
	budget := MaxBatch
	messages := make([]*nats.Msg, 0, len(records)+1)
	for i, r := range records {
		envelope, err := r.Envelope()
		if err != nil {
			return nil, fmt.Errorf("encode record: %w", err)
		}
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(envelope)
		if err != nil {
			return nil, fmt.Errorf("encode record: %w", err)
		}
		m := &nats.Msg{Subject: RecordSubject(r), Header: recordHeader(r)}
		if err := c.fit(ctx, m, body, min(largest, budget-(len(records)-i)*reserve)); err != nil {
			return nil, fmt.Errorf("encode record: %w", err)
		}
		budget -= m.Size()
		messages = append(messages, m)
	}
	return messages, nil
}

// send publishes the messages as one atomic batch and returns the sequence of the last.
func (c *Conn) send(ctx context.Context, messages []*nats.Msg, subjects ...string) (uint64, error) {
	ctx, done := c.calls.begin(ctx, subjects...)
	defer done()
	ctx, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	ack, err := c.sendBatch(ctx, messages)
	if err != nil {
		return 0, c.explain(ctx, "publish batch", err)
	}
	return ack.Sequence, nil
}

func (c *Conn) sendBatch(ctx context.Context, messages []*nats.Msg) (*jetstreamext.BatchAck, error) {
	failpoint.Hit("commit-before-batch")
	// No acknowledgement of the first message: the last one's tells everything, and this saves a round trip.
	batch, err := jetstreamext.NewBatchPublisher(c.js, jetstreamext.BatchFlowControl{})
	if err != nil {
		return nil, err //nolint:wrapcheck // send wraps it
	}
	last := len(messages) - 1
	for _, m := range messages[:last] {
		if err := batch.AddMsg(m); err != nil {
			return nil, err //nolint:wrapcheck // send wraps it
		}
		failpoint.Hit("commit-mid-batch")
	}
	// The commit waits when it is on its way; with a failpoint there, the server has it.
	ctx = failpoint.Waiting(ctx, "commit-await-ack", func() { _ = c.nc.Flush() })
	return batch.CommitMsg(ctx, messages[last]) //nolint:wrapcheck // send wraps it
}

// outcome is what a failed attempt means.
type outcome int

const (
	// unclear: it may be stored; read back.
	unclear outcome = iota
	// conflict: refused because the checkpoint has moved, perhaps by an earlier attempt of this very batch; read back.
	conflict
	// refused: not stored, and trying again does not help.
	refused
)

// judge reads the error of an attempt.
func judge(err error) (outcome, error) {
	var api *jetstream.APIError
	var denied *PermissionError
	var gone *ConnectError
	if errors.As(err, &denied) || errors.As(err, &gone) || errors.Is(err, nats.ErrMaxPayload) {
		return refused, err
	}
	if !errors.As(err, &api) {
		return unclear, err
	}
	switch api.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return conflict, err
	case errCodeStoreFailed:
		return refused, fmt.Errorf("%w (%w)", ErrFull, err)
	case jetstreamext.JSErrCodeBatchPublishIncomplete, jetstreamext.JSErrCodeAtomicPublishTooManyInflight:
		// The server restarted or changed its leader under the batch, or is busy: the same batch may go again.
		return unclear, err
	case jetstreamext.JSErrCodeBatchPublishNotEnabled:
		return refused, &TopologyError{Differences: []string{"stream " + Stream + ": allow_atomic is false, not true"}}
	default:
		if api.Code == 503 {
			return unclear, err
		}
		return refused, err
	}
}

// answered says that the server itself told the error: the attempt is over and stored nothing.
func answered(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api)
}

// errCodeStoreFailed is JSStreamStoreFailedF of nats-server: the stream's own limits, or its disk.
const errCodeStoreFailed jetstream.ErrorCode = 10077
