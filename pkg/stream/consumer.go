package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/logging"
)

const (
	// pullExpiry bounds a pull. A stop waits for the pull to end by itself: what the server sends while one is cut off reaches nobody
	// until AckWait has passed.
	pullExpiry = 2 * time.Second
	// pullBytes bounds what one pull brings.
	pullBytes = 24 << 20
	// pullAgain is the pause after a pull that failed for a reason that passes.
	pullAgain = 250 * time.Millisecond
)

// Consumer delivers what a durable has not yet delivered. Any number of processes may open the same durable; each message goes to one
// of them at a time.
type Consumer struct {
	conn     *Conn
	consumer jetstream.Consumer
	durable  string
}

// OpenConsumer binds to a durable of Stream. A missing durable is a *TopologyError.
func OpenConsumer(ctx context.Context, c *Conn, durable string) (*Consumer, error) {
	consumer, err := c.consumer(ctx, durable)
	if err != nil {
		return nil, err
	}
	return &Consumer{conn: c, consumer: consumer, durable: durable}, nil
}

// AckWait is after how long without a word the server gives a delivery to somebody else, as it was when the consumer was opened.
func (k *Consumer) AckWait() time.Duration { return k.consumer.CachedInfo().Config.AckWait }

// Run hands deliveries, unread, to handle, one at a time in stream order (redeliveries aside), until intake ends, and then what the last pull
// still brings; then it returns nil. It asks room before each pull how many deliveries the caller can take, and pulls no more; room may
// block until its context ends, and then returns 0. handle decides what becomes of the delivery, also after it returned; it should not block,
// because what is pulled and not yet handled is kept alive by nobody. When work ends, Run drops what it holds and returns nil; the
// server delivers that again after AckWait. No handle runs when Run has returned.
//
// Lost connections and new leaders are logged and survived. Errors: a *PermissionError, a *TopologyError when the durable was deleted, a
// *ConnectError when the server has refused us for good.
func (k *Consumer) Run(intake, work context.Context, room func(context.Context) int, handle func(Delivery)) error {
	call, done := k.conn.calls.follow(work,
		apiPrefix+"CONSUMER.MSG.NEXT."+Stream+"."+k.durable, "$JS.ACK."+Stream+"."+k.durable+".")
	defer done()
	asking, stop := context.WithCancel(intake)
	defer stop()
	defer context.AfterFunc(call, stop)() // whoever waits for room must not outlast the work
	for told := false; ; {
		n := room(asking)
		if n == 0 || call.Err() != nil {
			return k.end(call)
		}
		err := k.pull(call, n, handle)
		if end := k.judge(call, err); end != nil {
			return end
		}
		if err != nil {
			if !told {
				k.conn.log.WithError(err).WithField(logging.Consumer, k.durable).Warn("deliveries interrupted; going on")
			}
			pause(asking, pullAgain)
		}
		told = err != nil
	}
}

// pull asks for n messages and hands over what comes until the pull ends.
func (k *Consumer) pull(call context.Context, n int, handle func(Delivery)) error {
	batch, err := k.consumer.Fetch(n, jetstream.FetchMaxWait(pullExpiry), jetstream.FetchMaxBytes(max(pullBytes, int(k.conn.nc.MaxPayload())+headroom)))
	if err != nil {
		return err //nolint:wrapcheck // judge words it
	}
	for {
		select {
		case m, ok := <-batch.Messages():
			if !ok {
				return batch.Error() //nolint:wrapcheck // judge words it
			}
			if call.Err() == nil {
				k.deliver(m, handle)
			}
		case <-call.Done():
			return nil
		}
	}
}

// end is why Run ends when no pull failed.
func (k *Consumer) end(call context.Context) error {
	if denied, ok := errors.AsType[*PermissionError](context.Cause(call)); ok {
		return fmt.Errorf("consume from %s: %w", k.durable, denied)
	}
	return nil
}

// judge returns the error of Run for what does not pass by itself.
func (k *Consumer) judge(call context.Context, err error) error {
	switch {
	case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrConsumerNotFound):
		return k.deleted()
	case errors.Is(err, jetstream.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionClosed):
		return &ConnectError{Server: k.conn.server, Cause: k.conn.lastError(err), Remedy: remedyAuth, Code: 2}
	case errors.Is(err, jetstream.ErrBadRequest):
		return fmt.Errorf("consume from %s: %w", k.durable, err)
	case errors.Is(err, nats.ErrNoResponders):
		// Nobody leads the consumer for now, or it was deleted while nothing was pulled.
		if _, gone := errors.AsType[*TopologyError](k.look(call)); gone {
			return k.deleted()
		}
	}
	return nil
}

// look asks whether the durable is there.
func (k *Consumer) look(call context.Context) error {
	_, err := k.conn.consumer(call, k.durable)
	return err
}

// deleted is the error of Run for a durable that is gone.
func (k *Consumer) deleted() error {
	return &TopologyError{Differences: []string{"consumer " + k.durable + " was deleted"}}
}

// deliver hands a message over.
func (k *Consumer) deliver(m jetstream.Msg, handle func(Delivery)) {
	meta, err := m.Metadata()
	if err != nil {
		k.conn.log.WithError(err).Warn("a message without its place on the stream; leaving it")
		return
	}
	handle(k.conn.newDelivery(m, meta))
}
