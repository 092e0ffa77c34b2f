package stream

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/record"
)

// server is the stream as a journal needs it: a leader, or in the tests a model of one.
type server interface {
	// encode makes the messages of a commit's records.
	encode(ctx context.Context, records []record.Record) ([]*nats.Msg, error)
	// send stores the messages as one atomic batch and returns the sequence of the last. judge reads its errors.
	send(ctx context.Context, messages []*nats.Msg, subjects ...string) (uint64, error)
	// last is the last message whose subject matches; nil when there is none.
	last(ctx context.Context, filter string) (*jetstream.RawStreamMsg, error)
}

// leader is the stream's leader at the other end of a connection.
type leader struct {
	*Conn
	stream jetstream.Stream
}

func (l leader) last(ctx context.Context, filter string) (*jetstream.RawStreamMsg, error) {
	ctx, done := l.calls.ask(ctx, apiPrefix+"STREAM.MSG.GET."+Stream)
	defer done()
	m, err := l.stream.GetLastMsgForSubject(ctx, filter)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	return m, l.explain(ctx, "look up the last message of "+filter, err)
}
