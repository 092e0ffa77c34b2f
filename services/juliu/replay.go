package juliu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"juliu/pkg/control"
	"juliu/pkg/record"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

const replayHelp = `replay has the loaders load stored records again: into the live sink, or into another one by --sink. All loaders that run share the work, beside
the live flow, which goes first. It moves neither the extractor's checkpoint nor what the loaders take from the live flow.

Say where to begin: --since, --from or --from-seq, or --last-per-order, which takes the newest version of each order. Times are those at which
records were stored, as in the STORED column of 'juliu read': RFC 3339, a day of +08:00, or how long ago. A sink that compares versions, postgres,
leaves alone what it has in the same or a newer version; --force writes the same version again, never an older one over a newer.

First it says what it would load, and how far back the stream reaches; --dry-run ends there. Then the job runs by itself; 'juliu jobs' watches,
pauses, resumes and cancels it, and lists what was replayed before. A loader that is killed has what it had in hand, about a thousand records at most, loaded again by another.

It finds a running 'juliu up' by its data folder (--data), else it connects by NATS_URL. Exit codes: 0 done or left running, 1 failed or
cancelled, or nothing to replay, 2 bad usage.`

const replayExamples = `  juliu replay --since 24h --dry-run
  juliu replay --from 2026-01-01 --to 2026-02-01 --shop 10394533 --rate 500 --wait
  juliu replay --last-per-order --force --yes
  juliu replay --from-seq 1 --status Cancelled --sink jsonl:cancelled.jsonl --yes`

// replayFlags are the flags of replay.
type replayFlags struct {
	data, output, source, resource, shop, order, status, from, to, since, sink string
	fromSeq                                                                    uint64
	rate                                                                       int
	newest, force, dryRun, wait, yes                                           bool
}

func (a App) replay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:     "replay",
		Short:   "Load stored records again",
		Long:    replayHelp,
		Example: replayExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, spec, err := f.spec(a.Now())
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.replayNow(ctx, f, query, spec)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "records stored in this `duration` until now, e.g. 24h")
	flags.StringVar(&f.from, "from", "", "records stored since this `time`")
	flags.StringVar(&f.to, "to", "", "records stored before this `time` (default now)")
	flags.Uint64Var(&f.fromSeq, "from-seq", 0, "records from this `sequence` of the stream on; 1 is all")
	flags.BoolVar(&f.newest, "last-per-order", false, "only the newest version of each order")
	flags.StringVar(&f.source, "source", "", "only this `source`, the merchant's account, as in EXTRACTOR_SOURCE")
	flags.StringVar(&f.resource, "resource", "", "only this `resource`, e.g. sales-out")
	flags.StringVar(&f.shop, "shop", "", "only this `shop_id`")
	flags.StringVar(&f.order, "order", "", "only this order (`io_id`), as in the ORDER column of 'juliu read'")
	flags.StringVar(&f.status, "status", "", "only records of this `status`, e.g. Cancelled; with --last-per-order, orders whose newest version has it")
	flags.IntVar(&f.rate, "rate", 0, "`records` a second that all loaders load together (default no limit)")
	flags.BoolVar(&f.force, "force", false, "write also versions that the sink has already")
	flags.StringVar(&f.sink, "sink", "", "another `sink`: noop, jsonl, jsonl:NAME.jsonl, postgres or webhook, with each loader's own settings")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only say what would be loaded")
	flags.BoolVar(&f.wait, "wait", false, "follow it until it ends")
	flags.BoolVarP(&f.yes, "yes", "y", false, "start without asking")
	deskFlags(flags, &f.data, &f.output)
	return cmd
}

// spec is what the flags ask for, checked. Every error is a usageError.
func (f replayFlags) spec(now time.Time) (stream.ReplayQuery, loader.Replay, error) {
	query := stream.ReplayQuery{
		Resource: f.resource, Source: f.source, Shop: f.shop, Key: f.order, FromSequence: f.fromSeq, Newest: f.newest,
	}
	spec := loader.Replay{
		Rate: f.rate, Force: f.force, Sink: f.sink, FromSequence: f.fromSeq, Newest: f.newest, Resource: f.resource, Shop: f.shop,
		Order: f.order, Status: f.status,
	}
	if err := f.check(); err != nil {
		return query, spec, err
	}
	var err error
	if f.since != "" {
		if age, err := time.ParseDuration(f.since); err != nil || age <= 0 {
			return query, spec, usageError{"--since takes how long ago, e.g. 24h"}
		}
	}
	if begin := cmp.Or(f.since, f.from); begin != "" {
		if query.From, err = instant("--from", begin, now); err != nil {
			return query, spec, err
		}
	}
	if f.to != "" {
		if query.To, err = instant("--to", f.to, now); err != nil {
			return query, spec, err
		}
		if !query.From.Before(query.To) {
			return query, spec, usageError{"--from must lie before --to"}
		}
	}
	if f.status != "" {
		query.Match = func(r record.Record) bool { return field(r.Payload.ProtoReflect(), "status") == f.status }
	}
	spec.From, spec.To = query.From, query.To
	if err := spec.Validate(); err != nil {
		return query, spec, usageError{fmt.Sprintf("cannot replay: %v", err)}
	}
	return query, spec, nil
}

// check says which flags do not go together.
func (f replayFlags) check() error {
	begins := 0
	for _, given := range []bool{f.since != "", f.from != "", f.fromSeq > 0} {
		if given {
			begins++
		}
	}
	_, err := strconv.ParseUint(cmp.Or(f.shop, "0"), 10, 64)
	switch {
	case begins == 0 && !f.newest:
		return usageError{"say what to load again: --since 24h, --from and --to, --from-seq 1 for all, or --last-per-order"}
	case begins > 1:
		return usageError{"say once where to begin: --since, --from or --from-seq"}
	case err != nil:
		return usageError{"--shop takes a shop_id, digits only, as in the SHOP column of 'juliu read'"}
	case f.output != "table" && f.output != "json":
		return usageError{"--output takes table or json"}
	}
	return nil
}

// replayNow plans a replay, has it agreed to, and starts it.
func (a App) replayNow(ctx context.Context, f replayFlags, query stream.ReplayQuery, spec loader.Replay) error {
	d, err := a.openDesk(ctx, f.data, f.output)
	if err != nil {
		return err
	}
	defer d.conn.Close()
	reach, err := stream.TakeSnapshot(ctx, d.conn)
	if err != nil {
		return err
	}
	if spec.Plan, err = stream.PlanReplay(ctx, d.conn, query); err != nil {
		return err
	}
	if spec.Plan.Chosen == 0 && !f.dryRun {
		return errors.New(strings.TrimSuffix("nothing to replay: no record on the stream is what was asked for; see what there is with: juliu read --limit 10; "+leftOut(spec, reach), "; "))
	}
	if err := d.tellReplay(spec, reach, f.dryRun); err != nil || f.dryRun {
		return err
	}
	if !f.yes {
		if err := a.ask(ctx, d.notes, "Start?"); err != nil {
			return err
		}
	}
	job, err := d.startReplay(ctx, f.source, spec)
	if err != nil {
		return err
	}
	if f.wait {
		return d.follow(ctx, job)
	}
	d.notef("%s", d.runs(job.ID))
	return d.print(job)
}

// startReplay creates the job, then what the loaders take from, and lets it run.
func (d desk) startReplay(ctx context.Context, source string, spec loader.Replay) (control.Job, error) {
	job, err := d.jobs.Create(ctx, loader.ReplayKind, source, spec)
	if err != nil {
		return job, err
	}
	if err := stream.CreateReplay(ctx, d.conn, job.ID, spec.Plan); err != nil {
		return job, d.giveUp(ctx, job.ID, err)
	}
	if _, err = d.jobs.Change(ctx, job.ID, func(j *control.Job) error {
		j.Plan = &control.Plan{Rows: int64(spec.Plan.Chosen)} //nolint:gosec // a count
		if spec.Rate > 0 {
			j.Plan.Duration = spec.AtRate()
		}
		return j.Move(control.Planned)
	}); err == nil {
		job, err = d.jobs.Change(ctx, job.ID, moveTo(control.Running))
	}
	if err != nil {
		return job, fmt.Errorf("start the job: %w; see: juliu jobs list", err)
	}
	return job, nil
}
