package embednats_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/control"
	"juliu/pkg/record"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// extractTwice stores two versions of one order.
func extractTwice(ctx context.Context, conn *stream.Conn) error {
	j, err := stream.OpenJournal(ctx, conn, "sales-out", "main")
	if err != nil {
		return err
	}
	row := record.Record{
		Resource: "sales-out", Source: "main", Shop: "1", Key: "8", Version: record.Version{TS: 1}, Payload: &jushuitanv1.SalesOutOrder{},
	}
	newer := row
	newer.Version.TS = 2
	return j.Commit(ctx, []record.Record{row, newer}, &juliuv1.Checkpoint{Cursor: timestamppb.New(time.Unix(1, 0))})
}

// askReplay is what juliu replay does: it plans, and creates what the loaders take from.
func askReplay(ctx context.Context, conn *stream.Conn) error {
	plan, err := stream.PlanReplay(ctx, conn, stream.ReplayQuery{Newest: true, FromSequence: 1})
	if err != nil {
		return err
	}
	counted, err := stream.PlanReplay(ctx, conn, stream.ReplayQuery{})
	if err != nil || counted.Chosen != 3 || !plan.Listed {
		return errors.Join(err, fmt.Errorf("the plans are %+v and %+v", plan, counted))
	}
	return stream.CreateReplay(ctx, conn, "x", plan)
}

// takeReplay is what a loader does with a replay.
func takeReplay(ctx context.Context, conn *stream.Conn) error {
	jobs, err := control.OpenJobs(ctx, conn, time.Now)
	if err != nil {
		return err
	}
	job, err := jobs.Create(ctx, "replay", "", nil)
	if err != nil {
		return err
	}
	plan := stream.ReplayPlan{Listed: true, Last: 100}
	replay, err := stream.OpenReplay(ctx, conn, "x", plan)
	if err != nil {
		return err
	}
	intake, enough := context.WithCancel(ctx)
	defer enough()
	room := func(ctx context.Context) int {
		if ctx.Err() != nil {
			return 0
		}
		return 1
	}
	err = replay.Run(intake, ctx, room, func(d stream.Delivery) {
		_ = d.Ack()
		enough()
	})
	_, standingErr := replay.Standing(ctx)
	_, cancelErr := jobs.Change(ctx, job.ID, func(j *control.Job) error { return j.Move(control.Cancelled) })
	return errors.Join(err, standingErr, cancelErr, stream.RemoveReplay(ctx, conn, "x", plan))
}
