package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// copyOf is the record of a letter as the loaders get it again; nil when the letter is gone.
func (c *Conn) copyOf(ctx context.Context, l Letter) (*nats.Msg, error) {
	letter, err := c.message(ctx, DeadLetterStream, l.ID)
	if err != nil || letter == nil {
		return nil, err
	}
	m := &nats.Msg{Subject: l.Subject + requeueSuffix, Header: ownHeaders(letter.Header), Data: letter.Data}
	for _, name := range []string{HeaderReason, HeaderClass, HeaderConsumer, HeaderDeliveries, HeaderLast} {
		m.Header.Del(name)
	}
	m.Header.Set(HeaderRequeuedFrom, strconv.FormatUint(l.ID, 10))
	m.Header.Set(HeaderAttempt, strconv.Itoa(l.Attempt+1))
	return m, c.renewObject(ctx, m.Header)
}

// publishCopy stores a copy while fence is the last sequence of its lane; true means that it is not, or that another process is about to
// store the same copy.
func (c *Conn) publishCopy(ctx context.Context, m *nats.Msg, l Letter, fence uint64, lane string) (bool, error) {
	ctx, done := c.calls.ask(ctx, m.Subject)
	defer done()
	options := []jetstream.PublishOpt{
		jetstream.WithExpectStream(Stream), jetstream.WithExpectLastSequenceForSubject(fence, lane), jetstream.WithMsgID(l.copyID()),
	}
	ack, err := c.js.PublishMsg(ctx, m, options...)
	if err == nil && ack.Duplicate {
		// The server remembers the id of a copy that was purged since, too: such a copy is stored anew, without an id.
		stands, standsErr := c.stands(ctx, Stream, ack.Sequence)
		if standsErr != nil || stands {
			return false, standsErr
		}
		m.Header.Del(jetstream.MsgIDHeader)
		_, err = c.js.PublishMsg(ctx, m, options[:2]...)
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch api.ErrorCode {
		case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant, errCodeDuplicateInProcess:
			return true, nil
		case errCodeStoreFailed:
			return false, fmt.Errorf("%w (%w)", ErrFull, err)
		default:
		}
	}
	return false, c.explain(ctx, "publish to "+m.Subject, err)
}

// errCodeDuplicateInProcess is JSStreamDuplicateMessageConflict of nats-server: the id is on its way already.
const errCodeDuplicateInProcess jetstream.ErrorCode = 10158
