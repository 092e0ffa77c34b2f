package juliu

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/services/extractor"
)

const auditHelp = `audit proves that nothing is missing: for every day of a period it holds how many orders the ERP has against how many the stream holds, by the
time of their last modification. Where the counts differ, rows are read until every difference is named by its io_id:
  missing   the ERP has it, the stream does not
  stale     an older version is stored
  altered   the same version is stored with other content
  extra     it is stored, and the ERP shows it nowhere; it is kept and no gap
--repair stores what is missing, stale or altered, never an older version over a newer one.

The extractor of the source does the work, in quota that the live orders leave over; each day that is complete costs one call. Equal counts can hide
an order that is missing beside one too many, and altered content: --exact reads every row.

--sink postgres also compares the rows of LOADER_POSTGRES_URL with the stream, column by column, and with --repair writes anew what is wrong.

What was modified within the last minutes has not settled and is left out; --wait waits for it. Ctrl-C leaves the audit running; --job prints
its report, also of the audits on a schedule (EXTRACTOR_AUDIT_EVERY). Times are as in 'juliu backfill'.

Exit codes: 0 complete, 1 failed, a gap remains or not all was compared, 2 bad usage.`

const auditExamples = `  juliu audit --from 2026-01-01 --to 2026-02-01
  juliu audit --from 168h --repair
  juliu audit --from 2026-01-01 --to 2026-02-01 --sink postgres --output markdown > january.md
  juliu audit --job 20261124-161633-k3f --output json`

// auditFlags are the flags of audit.
type auditFlags struct {
	data, output, source, from, to, shop, sink, job string
	repair, wait, exact                             bool
}

func (a App) audit() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Prove that nothing is missing, and repair what is",
		Long:    auditHelp,
		Example: auditExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags()); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.auditNow(ctx, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "begin of the window of modification `time`")
	flags.StringVar(&f.to, "to", "", "end of the window, a `time` that is itself excluded (default now)")
	flags.StringVar(&f.shop, "shop", "", "only this `shop_id` (default what the extractor reads)")
	flags.StringVar(&f.source, "source", "main", "the merchant's account: the `source` that EXTRACTOR_SOURCE names")
	flags.StringVar(&f.sink, "sink", "", "also compare this `sink` with the stream: postgres")
	flags.StringVar(&f.job, "job", "", "print the report of the audit with this `ID` in place of a new one")
	flags.BoolVar(&f.repair, "repair", false, "store what is missing, stale or altered")
	flags.BoolVar(&f.exact, "exact", false, "read every row, and not only where counts differ")
	flags.BoolVar(&f.wait, "wait", false, "wait until all of the window has settled")
	flags.StringVar(&f.data, "data", defaultData, "data `folder` of a juliu up")
	flags.StringVarP(&f.output, "output", "o", "table", "output `format`, table, json or markdown")
	return cmd
}

// check says what is wrong with the flags before anything is asked.
func (f auditFlags) check(flags *pflag.FlagSet) error {
	if err := noneEmpty(flags); err != nil {
		return err
	}
	_, known := tables()[f.sink]
	switch {
	case !slices.Contains([]string{"table", "json", "markdown"}, f.output):
		return usageError{"--output takes table, json or markdown"}
	case f.sink != "" && !known:
		return usageError{"--sink takes postgres: the sinks whose rows can be read back"}
	case f.job != "" && (f.from+f.to+f.shop+f.sink != "" || f.repair || f.exact || f.wait || flags.Changed("source")):
		return usageError{"--job prints a report that is there, and does nothing: give it alone, with --output and --data at most"}
	case f.job != "":
		return checkJobIDs([]string{f.job})
	case f.from == "":
		return usageError{"say what to compare: --from, and --to unless it is now"}
	}
	return nil
}

// auditSpec is what the flags ask for. Every error is a usageError.
func (a App) auditSpec(f auditFlags) (extractor.Audit, error) {
	spec := extractor.Audit{Exact: f.exact, Repair: f.repair, Wait: f.wait}
	now := a.Now()
	var err error
	if spec.From, err = instant("--from", f.from, now); err != nil {
		return spec, err
	}
	if spec.To, err = instant("--to", cmp.Or(f.to, "0s"), now); err != nil {
		return spec, err
	}
	if f.shop != "" {
		if spec.ShopID, err = shopID(f.shop); err != nil {
			return spec, err
		}
	}
	if err := spec.Validate(now); err != nil {
		return spec, usageError{fmt.Sprintf("cannot audit: %v; 'juliu audit --help' has examples", err)}
	}
	return spec, nil
}

// auditNow has a period compared, or looks up an audit, and prints the report.
func (a App) auditNow(ctx context.Context, f auditFlags) error {
	var table audit.Table
	var spec extractor.Audit
	if f.job == "" {
		var err error
		if spec, err = a.auditSpec(f); err != nil {
			return err
		}
	}
	if f.sink != "" { // before the extractor is set to work
		opened, done, err := tables()[f.sink](ctx)
		if err != nil {
			return err
		}
		defer done()
		table = opened
	}
	d, err := a.openDesk(ctx, f.data, "table")
	if err != nil {
		return err
	}
	defer d.conn.Close()
	if f.output != "table" {
		d.notes = a.Err
	}
	report, err := d.auditReport(ctx, f, spec)
	if err != nil {
		return err
	}
	if table != nil {
		if err := auditSink(ctx, d.conn, table, f.sink, f.repair, &report); err != nil {
			return err
		}
	}
	if err := a.printReport(&report, f.output); err != nil {
		return err
	}
	return unproven(&report)
}

// unproven is why a report is no proof that nothing is missing; nil when it is one, of what had settled.
func unproven(report *audit.Report) error {
	switch gaps := report.Gaps(); {
	case len(report.Windows) == 0:
		return errors.New("nothing was compared, because no part of the period has settled yet: give an earlier --from, or --wait")
	case gaps > 0 && report.Repair:
		return fmt.Errorf("%d gaps are left; run it again; what stays could not be stored: see the extractor's log, and for a sink juliu dlq groups", gaps)
	case gaps > 0:
		return fmt.Errorf("%d gaps are left; store what is missing by --repair", gaps)
	case report.Ended.IsZero():
		return errors.New("the audit is not finished, so this proves nothing of what it has yet to compare; see: juliu jobs list")
	case report.Pending() > 0:
		return fmt.Errorf("%d orders have yet to be written to the sink; run it again when the loaders have caught up, see: juliu status", report.Pending())
	}
	return nil
}

// auditReport is the report of a new job, or of one that is there.
func (d desk) auditReport(ctx context.Context, f auditFlags, spec extractor.Audit) (audit.Report, error) {
	var (
		job control.Job
		err error
	)
	if f.job != "" {
		if job, err = d.jobs.Find(ctx, f.job); err != nil {
			return audit.Report{}, listed(err)
		}
	} else if job, err = d.startAudit(ctx, f, spec); err != nil {
		return audit.Report{}, err
	}
	if f.job == "" {
		if job, err = d.followAudit(ctx, job); err != nil {
			return audit.Report{}, err
		}
	}
	var report audit.Report
	switch {
	case job.Kind != extractor.AuditKind:
		return report, fmt.Errorf("job %s is a %s, no audit; see: juliu jobs list", job.ID, job.Kind)
	case len(job.Report) == 0:
		return report, fmt.Errorf("job %s is %s and has no report yet; see: %s", job.ID, job.State, d.command("watch", job.ID))
	}
	if err := json.Unmarshal(job.Report, &report); err != nil {
		return report, fmt.Errorf("read the report of job %s: %w; a newer juliu may have written it", job.ID, err)
	}
	if job.State != control.Done {
		d.notef("job %s is %s: the report ends where it is", job.ID, job.State)
	}
	return report, nil
}

// startAudit creates the job and starts it when the extractor has taken it up.
func (d desk) startAudit(ctx context.Context, f auditFlags, spec extractor.Audit) (control.Job, error) {
	job, err := d.jobs.Create(ctx, extractor.AuditKind, f.source, spec)
	if err != nil {
		return job, err
	}
	d.notef("job %s, source %s, %s: waiting for the extractor", job.ID, job.Source, words(job))
	planned, err := d.awaitPlan(ctx, job, cmp.Or(d.app.patience, planPatience))
	if err != nil {
		return job, d.giveUp(ctx, job.ID, err)
	}
	if planned.State.Ended() {
		return planned, d.outcome(planned)
	}
	if job, err = d.jobs.Change(ctx, job.ID, moveTo(control.Running)); err != nil {
		return job, fmt.Errorf("start the job: %w; see: juliu jobs list", err)
	}
	return job, nil
}

// followAudit shows how an audit goes on until it is done.
func (d desk) followAudit(ctx context.Context, job control.Job) (control.Job, error) {
	f := follower{desk: d, began: d.app.Now(), rows: job.Progress.Rows}
	f.screen, _ = terminal(d.app.Out)
	job, err := d.watch(ctx, job, d.app.every(), f.see)
	f.wipe()
	switch {
	case ctx.Err() != nil:
		return job, fmt.Errorf("left running: print its report with: juliu audit --job %s", job.ID)
	case err == nil && job.State != control.Done:
		return job, d.outcome(job)
	}
	return job, err
}

// printReport writes the report as asked.
func (a App) printReport(report *audit.Report, output string) error {
	var text strings.Builder
	switch output {
	case "json":
		e := json.NewEncoder(&text)
		e.SetIndent("", "  ")
		if err := e.Encode(report); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	case "markdown":
		report.Markdown(&text)
	default:
		report.Text(&text)
	}
	_, err := fmt.Fprint(a.Out, text.String())
	return err //nolint:wrapcheck // a closed standard output needs no more words
}
