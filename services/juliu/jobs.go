package juliu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"regexp"
	"syscall"
	"text/tabwriter"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"juliu/pkg/control"
	"juliu/pkg/stream"
)

const jobsHelp = `jobs shows and steers what runs beside the live flow: backfills and audits, which extractors carry out, and replays, which loaders do. A job goes from planning to planned, runs, and ends done,
failed or cancelled; it may be paused. What it stored or loaded stays, whatever becomes of it.

It finds a running 'juliu up' by its data folder (--data), else it connects by NATS_URL. With --output json each job is one object a line,
durations in seconds. Exit codes: 0 done, 1 failed (watch: also cancelled), 2 bad usage.`

const jobsExamples = `  juliu jobs list
  juliu jobs watch 20261124-161633-k3f
  juliu jobs pause 20261124-161633-k3f
  juliu jobs list --output json | jq 'select(.state == "running")'`

func (a App) jobs() *cobra.Command {
	var data, output string
	jobs := &cobra.Command{
		Use:     "jobs",
		Short:   "List, watch, pause, resume and cancel jobs",
		Long:    jobsHelp,
		Example: jobsExamples,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	deskFlags(jobs.PersistentFlags(), &data, &output)
	add := func(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, d desk, args []string) error) {
		jobs.AddCommand(&cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkJobIDs(args); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			d, err := a.openDesk(ctx, data, output)
			if err != nil {
				return err
			}
			defer d.conn.Close()
			return run(ctx, d, args)
		}})
	}
	add("list", "List all jobs, the newest first", cobra.NoArgs, func(ctx context.Context, d desk, _ []string) error { return d.list(ctx) })
	add("watch ID", "Follow a job until it ends; Ctrl-C leaves it running", cobra.ExactArgs(1), func(ctx context.Context, d desk, args []string) error {
		job, err := d.jobs.Find(ctx, args[0])
		if err != nil {
			return listed(err)
		}
		return d.follow(ctx, job)
	})
	for _, verb := range []struct {
		use, short string
		to         control.State
	}{
		{"pause ID", "Let a job wait until it is resumed", control.Paused},
		{"resume ID", "Let a planned or paused job run", control.Running},
		{"cancel ID", "End a job for ever; what it stored or loaded stays", control.Cancelled},
	} {
		add(verb.use, verb.short, cobra.ExactArgs(1), func(ctx context.Context, d desk, args []string) error { return d.move(ctx, args[0], verb.to) })
	}
	return jobs
}

// checkJobIDs refuses what is no ID of a job. Every error is a usageError.
func checkJobIDs(args []string) error {
	for _, arg := range args {
		if !regexp.MustCompile(`^\d{8}-\d{6}-[a-z2-7]{3}$`).MatchString(arg) { // as package control makes them
			return usageError{fmt.Sprintf("%q is no ID of a job, such as 20261124-161633-k3f; see: juliu jobs list", arg)}
		}
	}
	return nil
}

// deskFlags are the flags of every command about jobs.
func deskFlags(flags *pflag.FlagSet, data, output *string) {
	flags.StringVar(data, "data", defaultData, "data `folder` of a juliu up")
	flags.StringVarP(output, "output", "o", "table", "output `format`, table or json")
}

const defaultData = "data"

// desk is where an operator looks after jobs.
type desk struct {
	app  App
	data string
	conn *stream.Conn
	jobs *control.Jobs
	// json prints jobs to Out, one object a line.
	json bool
	// notes takes what people read: Out, or Err when Out takes JSON.
	notes io.Writer
}

func (a App) openDesk(ctx context.Context, data, output string) (desk, error) {
	if output != "table" && output != "json" {
		return desk{}, usageError{"--output takes table or json"}
	}
	conn, err := a.connect(ctx, data)
	if err != nil {
		return desk{}, err
	}
	jobs, err := control.OpenJobs(ctx, conn, a.Now)
	if err != nil {
		conn.Close()
		return desk{}, err
	}
	d := desk{app: a, data: data, conn: conn, jobs: jobs, notes: a.Out}
	if output == "json" {
		d.json, d.notes = true, a.Err
	}
	return d, nil
}

// notef writes a line for people.
func (d desk) notef(format string, args ...any) { _, _ = fmt.Fprintf(d.notes, format+"\n", args...) }

// print writes the job where JSON is asked for.
func (d desk) print(job control.Job) error {
	if !d.json {
		return nil
	}
	if err := json.NewEncoder(d.app.Out).Encode(jobLineOf(job)); err != nil {
		return fmt.Errorf("print job %s: %w", job.ID, err)
	}
	return nil
}

// command is the command line of a verb of jobs, for people to type.
func (d desk) command(verb, id string) string {
	line := "juliu jobs " + verb + " " + id
	if d.data != defaultData {
		line += " --data " + d.data
	}
	return line
}

// runs says that a job goes on without us, and how to look after it.
func (d desk) runs(id string) string {
	return fmt.Sprintf("job %s runs; watch it with: %s; also: pause, cancel", id, d.command("watch", id))
}

// holder is who holds the lease of a source.
func (d desk) holder(ctx context.Context, source string) (control.Holder, bool, error) {
	log := logrus.New() // to look at a lease logs nothing
	log.SetOutput(d.app.Err)
	leases, err := control.OpenLeases(ctx, d.conn, log)
	if err != nil {
		return control.Holder{}, false, err
	}
	return leases.Current(ctx, source)
}

// list prints all jobs, the newest first.
func (d desk) list(ctx context.Context) error {
	jobs, err := d.jobs.List(ctx)
	if err != nil {
		return err
	}
	if d.json {
		for _, job := range jobs {
			if err := d.print(job); err != nil {
				return err
			}
		}
		return nil
	}
	if len(jobs) == 0 {
		d.notef("no jobs yet; 'juliu backfill --help' and 'juliu replay --help' say how to create one")
		return nil
	}
	w := tabwriter.NewWriter(d.app.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, tableHead)
	for _, job := range jobs {
		_, _ = fmt.Fprintln(w, tableRow(job))
	}
	return w.Flush() //nolint:wrapcheck // a closed standard output needs no more words
}

// moveTo is an edit for Jobs.Change.
func moveTo(state control.State) func(*control.Job) error {
	return func(job *control.Job) error { return job.Move(state) }
}

// move changes a job's state and says what that means.
func (d desk) move(ctx context.Context, id string, to control.State) error {
	job, err := d.jobs.Change(ctx, id, moveTo(to))
	if err != nil {
		return listed(err)
	}
	switch to {
	case control.Paused:
		d.notef("job %s is paused: who carries it out stops after what is in hand; go on with: %s", id, d.command("resume", id))
	case control.Running:
		d.notef("%s", d.runs(id))
	default:
		d.notef("job %s is %s; what it stored or loaded stays", id, to)
	}
	if spec, ok := replayOf(job); ok && to == control.Cancelled {
		if err := stream.RemoveReplay(ctx, d.conn, job.ID, spec.Plan); err != nil {
			return err
		}
	}
	return d.print(job)
}

// listed adds to what is wrong with an id or a state where to look it up.
func listed(err error) error {
	if errors.Is(err, control.ErrNoJob) || errors.Is(err, control.ErrTransition) {
		return fmt.Errorf("%w; see: juliu jobs list", err)
	}
	return err
}
