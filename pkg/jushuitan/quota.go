package jushuitan

import (
	"context"
	"time"
)

// margin is added to both spans, for a server that counts both ends of a span and for clocks that run at slightly different speeds.
const margin = 20 * time.Millisecond

// budget keeps the calls within the API's quota by waiting. It is exact without knowing how the server counts: the server counts a call at some
// moment between sending and answer, so a call's slot is taken before it is sent and given back a whole span after its answer. Thus
// no span of the server's clock, fixed or sliding, holds more calls than slots, however long a request travels.
type budget struct {
	second chan struct{} // one element a call sent within the last second
	minute chan struct{}
}

func newBudget(perSecond, perMinute int) *budget {
	return &budget{
		second: make(chan struct{}, perSecond),
		minute: make(chan struct{}, perMinute),
	}
}

// take blocks until a call may be sent, or ctx ends; who came first goes first, as a channel serves its senders. After a nil error the caller sends one call and then calls give.
func (b *budget) take(ctx context.Context) error {
	if err := enter(ctx, b.minute); err != nil {
		return err
	}
	if err := enter(ctx, b.second); err != nil {
		leave(b.minute)
		return err
	}
	return nil
}

// give starts the spans after which the slots of one call are free again; it does not block.
func (b *budget) give() {
	time.AfterFunc(time.Second+margin, func() { leave(b.second) })
	time.AfterFunc(time.Minute+margin, func() { leave(b.minute) })
}

func enter(ctx context.Context, slots chan<- struct{}) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // wrapped with its endpoint by the caller.
	}
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // wrapped with its endpoint by the caller.
	}
}

func leave(slots <-chan struct{}) { <-slots }
