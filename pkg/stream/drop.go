package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Drop removes the letters for good, and tells what became of each: one that is Gone was dropped or requeued by somebody else. It is noted in
// the audit stream before.
func Drop(ctx context.Context, c *Conn, who string, letters []Letter, told func(Letter, Outcome) error) error {
	if err := c.audit(ctx, who, ActDrop, letters); err != nil {
		return err
	}
	for _, l := range letters {
		outcome := Dropped
		found, err := c.removeLetter(ctx, l)
		if err != nil {
			return fmt.Errorf("drop dead letter %d: %w", l.ID, err)
		}
		if !found {
			outcome = Gone
		}
		if err := told(l, outcome); err != nil {
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
// already is fine; it tells whether the letter was there.
func (c *Conn) removeLetter(ctx context.Context, l Letter) (bool, error) {
	s, err := c.stream(ctx, DeadLetterStream)
	if err != nil {
		return false, err
	}
	found := true
	for _, id := range slices.Concat(l.earlier, []uint64{l.ID}) {
		call, done := c.calls.ask(ctx, apiPrefix+"STREAM.MSG.DELETE."+DeadLetterStream)
		err := c.explain(call, "delete dead letter", s.DeleteMsg(call, id))
		done()
		if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
			if stands, failed := c.stands(ctx, DeadLetterStream, id); failed != nil || !stands {
				err, found = failed, id != l.ID
			}
		}
		if err != nil {
			return false, err
		}
	}
	return found, nil
}
