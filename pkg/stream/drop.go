package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Drop removes the letters for good, and tells of each. It is noted in the audit stream before.
func Drop(ctx context.Context, c *Conn, who string, letters []Letter, told func(Letter) error) error {
	if err := c.audit(ctx, who, ActDrop, letters); err != nil {
		return err
	}
	for _, l := range letters {
		if err := c.removeLetter(ctx, l); err != nil {
			return fmt.Errorf("drop dead letter %d: %w", l.ID, err)
		}
		if err := told(l); err != nil {
			return err
		}
	}
	return nil
}

// Reveal notes that somebody looks at personal data, and then reads the letter.
func Reveal(ctx context.Context, c *Conn, who string, l Letter) (Delivery, error) {
	if err := c.audit(ctx, who, ActReveal, []Letter{l}); err != nil {
		return Delivery{}, err
	}
	return ReadLetter(ctx, c, l)
}

// removeLetter deletes the letter, and before it the earlier ones of its record, which would else come to light. One that is gone
// already is fine.
func (c *Conn) removeLetter(ctx context.Context, l Letter) error {
	s, err := c.stream(ctx, DeadLetterStream)
	if err != nil {
		return err
	}
	for _, id := range slices.Concat(l.earlier, []uint64{l.ID}) {
		call, done := c.calls.ask(ctx, apiPrefix+"STREAM.MSG.DELETE."+DeadLetterStream)
		err := c.explain(call, "delete dead letter", s.DeleteMsg(call, id))
		done()
		if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
			if stands, failed := c.stands(ctx, DeadLetterStream, id); failed != nil || !stands {
				err = failed
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
