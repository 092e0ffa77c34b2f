package embednats_test

import (
	"context"
	"errors"

	"juliu/pkg/stream"
)

// giveUp makes the next record a dead letter.
func giveUp(ctx context.Context, conn *stream.Conn) error {
	k, err := stream.OpenConsumer(ctx, conn, stream.LiveConsumer)
	if err != nil {
		return err
	}
	intake, enough := context.WithCancel(ctx)
	defer enough()
	var kept error
	room := func(ctx context.Context) int {
		if ctx.Err() != nil {
			return 0
		}
		return 1
	}
	err = k.Run(intake, ctx, room, func(d stream.Delivery) {
		kept = errors.Join(conn.KeepDelivery(ctx, d, "no", "rejected"), d.Term("rejected"))
		enough()
	})
	return errors.Join(err, kept)
}

// requeue looks at a dead letter and gives it to the loaders again.
func requeue(ctx context.Context, conn *stream.Conn) error {
	letters, err := stream.Letters(ctx, conn)
	if err != nil || len(letters) != 1 {
		return errors.Join(err, errors.New("not one dead letter"))
	}
	if d, err := stream.Reveal(ctx, conn, "operator", letters[0]); err != nil || d.Err != nil {
		return errors.Join(err, d.Err)
	}
	r, err := stream.PlanRequeue(ctx, conn, letters)
	if err != nil {
		return err
	}
	return r.Run(ctx, "operator", letters, func(_ stream.Letter, o stream.Outcome) error {
		if o != stream.Requeued {
			return errors.New(string(o))
		}
		return nil
	})
}

// drop drops what is left, and reads the history.
func drop(ctx context.Context, conn *stream.Conn) error {
	letters, err := stream.Letters(ctx, conn)
	if err != nil || len(letters) != 1 || letters[0].Attempt != 2 {
		return errors.Join(err, errors.New("not one dead letter of the second attempt"))
	}
	if err := stream.Drop(ctx, conn, "operator", letters, func(stream.Letter, stream.Outcome) error { return nil }); err != nil {
		return err
	}
	n := 0
	err = stream.Acts(ctx, conn, func(stream.Act) error { n++; return nil })
	if n != 3 {
		err = errors.Join(err, errors.New("not three acts"))
	}
	return err
}
