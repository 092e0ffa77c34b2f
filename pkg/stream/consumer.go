package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
)

const (
	// retryPayload is after how long a message comes again whose large row could not be fetched.
	retryPayload = 5 * time.Second
	// pullExpiry bounds a pull; half of it is the heartbeat whose absence shows that the server forgot the pull.
	pullExpiry = 10 * time.Second
	// prefetchBytes bounds one pull; two may be on the way, and nats.go drops what exceeds 64 MiB of a subscription.
	prefetchBytes = 24 << 20
)

// Consumer delivers what a durable has not yet delivered. Any number of processes may open the same durable; each message goes to one
// of them at a time.
type Consumer struct {
	conn     *Conn
	consumer jetstream.Consumer
	durable  string
	prefetch int
}

// OpenConsumer binds to a durable of Stream, with prefetch messages on the way at once: prefetch times the time to handle one must stay
// below the durable's AckWait, and prefetch times the number of processes below its MaxAckPending. A missing durable is a *TopologyError.
func OpenConsumer(ctx context.Context, c *Conn, durable string, prefetch int) (*Consumer, error) {
	consumer, err := c.consumer(ctx, durable)
	if err != nil {
		return nil, err
	}
	return &Consumer{conn: c, consumer: consumer, durable: durable, prefetch: prefetch}, nil
}

// Run hands deliveries to handle, one at a time in stream order (redeliveries aside), until intake ends; then it hands over what it has
// already received and returns nil. handle may block, which slows the delivery down, but not beyond the end of work; it decides what
// becomes of the delivery, also after it returned. When work ends, Run drops what it holds and returns nil; the server delivers that
// again after AckWait. No handle runs when Run has returned.
//
// Lost connections, missed heartbeats and new leaders are logged and survived. Errors: a *PermissionError, a *TopologyError when the
// durable was deleted, a *ConnectError when the server has refused us for good.
func (k *Consumer) Run(intake, work context.Context, handle func(Delivery)) error {
	// Before the first pull, whose refusal may come at once.
	call, done := k.conn.calls.follow(work,
		apiPrefix+"CONSUMER.MSG.NEXT."+Stream+"."+k.durable, "$JS.ACK."+Stream+"."+k.durable+".")
	defer done()
	ended := make(chan error, 1)
	gate := &gate{}
	consuming, err := k.consumer.Consume(
		func(m jetstream.Msg) { gate.pass(func() { k.deliver(work, m, handle) }) },
		jetstream.PullMaxMessagesWithBytesLimit(k.prefetch, max(prefetchBytes, int(k.conn.nc.MaxPayload())+headroom)),
		jetstream.PullExpiry(pullExpiry),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { k.judge(err, ended) }),
	)
	if err != nil {
		return fmt.Errorf("consume from %s: %w", k.durable, err)
	}
	defer gate.close()
	defer consuming.Stop()
	return k.wait(intake, call, consuming, ended)
}

// wait returns when everything has been handed over, or nothing more can be.
func (k *Consumer) wait(intake, call context.Context, consuming jetstream.ConsumeContext, ended <-chan error) error {
	stop := intake.Done()
	for {
		select {
		case <-stop:
			consuming.Drain()
			stop = nil
		case err := <-ended:
			return err
		case <-consuming.Closed():
			return nil
		case <-call.Done():
			if denied, ok := errors.AsType[*PermissionError](context.Cause(call)); ok {
				return fmt.Errorf("consume from %s: %w", k.durable, denied)
			}
			return nil
		}
	}
}

// gate lets one through at a time until it is closed.
type gate struct {
	mu     sync.Mutex
	closed bool
}

func (g *gate) pass(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		do()
	}
}

// close waits for the one inside.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// judge logs what passes by itself and ends Run for what does not.
func (k *Consumer) judge(err error, ended chan<- error) {
	var end error
	switch {
	case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrConsumerNotFound):
		end = &TopologyError{Differences: []string{"consumer " + k.durable + " was deleted"}}
	case errors.Is(err, jetstream.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionClosed):
		end = &ConnectError{Server: k.conn.server, Cause: k.conn.lastError(err), Remedy: remedyAuth, Code: 2}
	case errors.Is(err, jetstream.ErrBadRequest):
		end = fmt.Errorf("consume from %s: %w", k.durable, err)
	default:
		k.conn.log.WithError(err).WithField(logging.Consumer, k.durable).Warn("deliveries interrupted; going on")
		return
	}
	select {
	case ended <- end:
	default:
	}
}

// deliver reads one message and hands it over.
func (k *Consumer) deliver(work context.Context, m jetstream.Msg, handle func(Delivery)) {
	if work.Err() != nil {
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		k.conn.log.WithError(err).Warn("a message without its place on the stream; leaving it")
		return
	}
	d, err := k.conn.newDelivery(work, m, meta)
	if err != nil {
		k.conn.log.WithError(err).WithFields(logrus.Fields{logging.Sequence: d.Sequence, logging.Wait: retryPayload.String()}).
			Warn("a large row could not be fetched; asking for it again")
		if err := d.NakWithDelay(retryPayload); err != nil {
			k.conn.log.WithError(err).Warn("asking again failed; it comes after AckWait")
		}
		return
	}
	handle(d)
}
