package juliu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"juliu/pkg/control"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

const backfillHelp = `backfill reads past orders again and stores what the stream does not have: a window of modification time, or orders by number (so_id). The
extractor of the source does the work, in quota that the live orders leave over, and goes on where it was after a restart. Orders that are
stored already are not stored again.

First the extractor counts what it would cost; nothing else is read before you agree. Then the job is followed until it ends. Ctrl-C leaves
it running; 'juliu jobs' watches, pauses, resumes and cancels it. When no extractor counts within half a minute (and six seconds for each
further week of the window), or you do not agree, the job is cancelled.

Times are RFC 3339 (2026-01-31T09:30:00+08:00), a day, which begins at midnight of +08:00 (2026-01-31), or how long ago (72h).

It finds a running 'juliu up' by its data folder (--data), else it connects by NATS_URL. Exit codes: 0 done or left running, 1 failed or
cancelled, 2 bad usage.`

const backfillExamples = `  juliu backfill --from 2026-01-01 --to 2026-02-01
  juliu backfill --from 72h --shop 10394533 --yes --detach
  juliu backfill --so-ids 2607011234567,2607011234568
  juliu backfill --so-ids @numbers.txt --archive --yes --output json`

// backfillFlags are the flags of backfill.
type backfillFlags struct {
	data, output, source, from, to, shop, soIDs, status string
	archive, yes, detach                                bool
}

func (a App) backfill() *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:     "backfill",
		Short:   "Read past orders again and store what is missing",
		Long:    backfillHelp,
		Example: backfillExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec, err := f.spec(a.Now())
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.backfillNow(ctx, f, spec)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "begin of the window of modification `time`")
	flags.StringVar(&f.to, "to", "", "end of the window, a `time` that is itself excluded (default now)")
	flags.StringVar(&f.soIDs, "so-ids", "", "online order `numbers`: a,b,c or @file")
	flags.StringVar(&f.shop, "shop", "", "only this `shop_id` (default what the extractor reads)")
	flags.StringVar(&f.status, "status", "", "only orders that have come as far as this `status`, e.g. Confirmed, or all (default what the extractor reads)")
	flags.BoolVar(&f.archive, "archive", false, "read the archived orders in place of the current ones")
	flags.StringVar(&f.source, "source", "main", "the merchant's account: the `source` that EXTRACTOR_SOURCE names")
	flags.BoolVarP(&f.yes, "yes", "y", false, "start without asking")
	flags.BoolVar(&f.detach, "detach", false, "start the job and leave it running")
	deskFlags(flags, &f.data, &f.output)
	return cmd
}

// backfillNow creates a job, has it planned and agreed to, and follows it.
func (a App) backfillNow(ctx context.Context, f backfillFlags, spec extractor.Backfill) error {
	d, err := a.openDesk(ctx, f.data, f.output)
	if err != nil {
		return err
	}
	defer d.conn.Close()
	job, err := d.jobs.Create(ctx, extractor.BackfillKind, f.source, spec)
	if err != nil {
		return err
	}
	d.notef("job %s, source %s, %s: waiting for the extractor to count its rows", job.ID, job.Source, words(job))
	if err := d.print(job); err != nil {
		return err
	}
	planned, err := d.awaitPlan(ctx, job, planWait(cmp.Or(a.patience, planPatience), spec))
	switch {
	case err == nil && planned.State.Ended():
		return d.outcome(planned)
	case err == nil:
		err = d.agree(ctx, planned, f.yes)
	}
	if err != nil {
		return d.giveUp(ctx, job.ID, err)
	}
	if job, err = d.jobs.Change(ctx, job.ID, moveTo(control.Running)); err != nil {
		return fmt.Errorf("start the job: %w; see: juliu jobs list", err)
	}
	if f.detach {
		d.notef("%s", d.runs(job.ID))
		return d.print(job)
	}
	return d.follow(ctx, job)
}

// planPatience is how long a short window may wait for its plan: the extractor has one call to make.
const planPatience = 30 * time.Second

// planWait adds to the patience what planning takes at worst: a call a week of the window, ten of them a minute.
func planWait(patience time.Duration, spec extractor.Backfill) time.Duration {
	const week = 7 * 24 * time.Hour
	weeks := int64(spec.To.Sub(spec.From) / week)
	return patience + time.Duration(weeks)*6*time.Second
}

var errInterrupted = errors.New("interrupted before the job began")

// awaitPlan waits until the extractor has planned the job. While one is seen to be there it waits on.
func (d desk) awaitPlan(ctx context.Context, job control.Job, patience time.Duration) (control.Job, error) {
	deadline, problem, told := d.app.Now().Add(patience), "", false
	job, err := d.watch(ctx, job, min(time.Second, patience), func(job control.Job, _ bool) (bool, error) {
		if job.State != control.Planning {
			return true, nil
		}
		if job.Problem != problem {
			problem = job.Problem
			d.notef("the extractor waits: %s", problem)
		}
		if told || problem != "" || d.app.Now().Before(deadline) {
			return false, nil
		}
		holder, held, err := d.holder(ctx, job.Source)
		if err != nil {
			return false, err
		}
		if !held {
			return false, fmt.Errorf("no extractor of source %q seems to run: nobody holds its lease, and nobody counted the job's rows; "+
				"start the extractor, or name its EXTRACTOR_SOURCE by --source%s, then run this command again", job.Source, d.newestSource(ctx))
		}
		told = true
		d.notef("extractor %s holds the lease of source %s but has not counted the rows yet; its log says why. Waiting on; Ctrl-C cancels the job", holder.Name, job.Source)
		return false, nil
	})
	if ctx.Err() != nil {
		return job, errInterrupted
	}
	return job, err
}

// newestSource names the source of the newest order on the stream, as a hint; "" when there is none.
func (d desk) newestSource(ctx context.Context) string {
	hint := ""
	_ = stream.Read(ctx, d.conn, stream.ReadOptions{Last: 1}, func(r stream.Delivery) error {
		if r.Err == nil {
			hint = fmt.Sprintf(" (the newest order on the stream is of %q)", r.Record.Source)
		}
		return nil
	})
	return hint
}

// agree shows the plan and asks whether to start.
func (d desk) agree(ctx context.Context, job control.Job, yes bool) error {
	d.notef("plan: %s", plan(job))
	if err := d.print(job); err != nil || yes {
		return err
	}
	err := d.app.ask(ctx, d.notes, "Start?")
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// giveUp cancels a job that was never started, and says so.
func (d desk) giveUp(ctx context.Context, id string, cause error) error {
	job, err := d.jobs.Change(context.WithoutCancel(ctx), id, moveTo(control.Cancelled))
	if err != nil && !errors.Is(err, control.ErrEnded) {
		return fmt.Errorf("%w; job %s could not be cancelled (%w): %s", cause, id, err, d.command("cancel", id))
	}
	if err := d.print(job); err != nil {
		return err
	}
	return fmt.Errorf("%w; job %s is %s, nothing was stored", cause, id, job.State)
}
