package extractor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
	"juliu/pkg/process"
)

// Auditor carries out the audits of one source: those that operators ask for, and one of its own on a schedule. For every day it holds the
// ERP's count against the number of keys whose newest version on the stream lies in it, names what differs, and stores what is missing.
type Auditor struct {
	*worker

	newReader func() *reader
	metrics   *metrics
}

func newAuditor(cfg Config, jobs Jobs, w *writer, newReader func() *reader, log logrus.FieldLogger, m *metrics, now func() time.Time) *Auditor {
	a := &Auditor{worker: newWorker(AuditKind, jushuitan.Audit, cfg, jobs, w, log, now), newReader: newReader, metrics: m}
	a.worker.carryOut = a.carryOut
	return a
}

// Run carries out audits until intake ends. It returns an error only when that ends the extractor.
func (a *Auditor) Run(intake, work context.Context) error {
	group, ctx := errgroup.WithContext(intake)
	group.Go(func() error { return a.worker.Run(ctx, work) })
	if a.cfg.AuditEvery > 0 {
		group.Go(func() error { a.schedule(ctx); return nil })
	}
	return group.Wait() //nolint:wrapcheck // our own
}

// carryOut plans an audit, or goes on with it until it is done or halted.
func (a *Auditor) carryOut(intake, work context.Context, job control.Job) error {
	spec, report, err := decodeAudit(job, a.now())
	if err != nil {
		return a.fail(work, job.ID, err)
	}
	if job.State == control.Planning {
		return a.plan(work, job.ID, spec)
	}
	a.log.WithField(logging.Job, job.ID).Info("audit goes on")
	err = a.audit(intake, work, job, spec, report)
	if refused(err) {
		return a.fail(work, job.ID, err)
	}
	return err
}

// plan says what an audit costs when nothing differs: a call a day. One of the schedule begins at once.
func (a *Auditor) plan(ctx context.Context, id string, spec Audit) error {
	calls := len(days(Window{Begin: spec.From, End: spec.To}))
	err := a.change(ctx, id, func(j *control.Job) error {
		j.Plan, j.Problem = &control.Plan{Calls: int64(calls)}, ""
		return j.Move(control.Planned)
	})
	if err == nil && spec.Scheduled {
		err = a.change(ctx, id, func(j *control.Job) error { return j.Move(control.Running) })
	}
	return err
}

// audit compares day after day from where the job stands.
func (a *Auditor) audit(intake, work context.Context, job control.Job, spec Audit, report audit.Report) error {
	whole := Window{Begin: spec.From.Truncate(time.Second), End: spec.To.Add(time.Second - 1).Truncate(time.Second)}
	if spec.Wait {
		for intake.Err() == nil && a.settled().Before(whole.End) {
			if a.halted(job.ID) {
				return errHalted
			}
			pause(intake, time.Second)
		}
	}
	rest := whole
	if settled := a.settled(); rest.End.After(settled) {
		rest.End = maxTime(settled, rest.Begin)
	}
	x := a.examination(spec)
	if report.Began.IsZero() {
		report = a.begin(job, spec, whole)
	}
	if report.AskedTo, report.Ended = (time.Time{}), (time.Time{}); rest.End.Before(whole.End) {
		report.AskedTo = whole.End
	}
	if job.Progress.Cursor.After(rest.Begin) {
		rest.Begin = job.Progress.Cursor
	}
	if err := a.writer.learn(intake, shopOf(x.reader.filter), rest.Begin.Add(-clockMargin)); err != nil {
		return err
	}
	defer a.writer.unlearn()
	for _, d := range report.Differences {
		x.told[d.Key] = true
	}
	before, p := report.Calls, job.Progress
	for _, w := range days(rest) {
		if err := x.examine(intake, w); err != nil {
			return err
		}
		stored, err := a.settle(work, x, spec.Repair, &report)
		if err != nil {
			return err
		}
		report.To, report.Calls = w.End, before+int64(x.reader.calls)
		p = control.Progress{Cursor: w.End, Calls: report.Calls, Rows: p.Rows + x.window.ERP, Stored: p.Stored + int64(stored)}
		if !w.End.Before(rest.End) {
			break
		}
		if err := a.tellReport(work, job.ID, p, report, false); err != nil {
			return err
		}
	}
	report.Ended = a.now().UTC()
	if err := a.tellReport(work, job.ID, p, report, true); err != nil {
		return err
	}
	a.finished(job.ID, &report)
	return nil
}

// begin is the report before anything was compared.
func (a *Auditor) begin(job control.Job, spec Audit, whole Window) audit.Report {
	x := a.examination(spec)
	report := audit.Report{
		Job: job.ID, Source: a.cfg.Source, Resource: a.writer.resource.Schema.Resource, Shop: shopOf(x.reader.filter), Status: allStatuses,
		From: whole.Begin, To: whole.Begin, Exact: spec.Exact, Repair: spec.Repair, Program: process.Version(), Began: a.now().UTC(),
		Windows: []audit.Window{}, Differences: []audit.Difference{},
	}
	if status := x.reader.filter.Status; status != "" {
		report.Status = status
	}
	return report
}

// examination is how this audit compares.
func (a *Auditor) examination(spec Audit) *examination {
	r := a.newReader()
	r.filter = a.cfg.Filter
	if spec.ShopID != nil {
		r.filter.ShopID, r.filter.OfflineShops = spec.ShopID, false
	}
	return &examination{writer: a.writer, reader: r, exact: spec.Exact, settled: a.settled, cursor: a.cursor, told: map[string]bool{}}
}

// shopOf is the one shop that a filter reads, "" for more. What the vendor calls an offline shop may be several.
func shopOf(f Filter) string {
	if f.ShopID == nil || f.OfflineShops {
		return ""
	}
	return strconv.FormatInt(*f.ShopID, 10)
}

// cursor is how far the live lane is.
func (a *Auditor) cursor() time.Time { return a.writer.checkpoint().GetCursor().AsTime() }

// settled is the time before which every change must be stored by now: the live lane looks back no further.
func (a *Auditor) settled() time.Time { return a.cursor().Add(-a.cfg.reach()).Truncate(time.Second) }

// settle stores what an examination found missing, if asked to, and adds it to the report.
func (a *Auditor) settle(ctx context.Context, x *examination, repair bool, report *audit.Report) (int, error) {
	stored := 0
	if repair {
		var rows []row
		for _, f := range x.found {
			if f.kind != audit.Extra {
				rows = append(rows, f.row)
			}
		}
		var err error
		if stored, err = a.writer.store(ctx, haul{lane: jushuitan.Repair, rows: rows, filter: x.reader.filter, anew: true}); err != nil {
			return 0, err
		}
	}
	var all []audit.Difference
	for _, key := range slices.Sorted(maps.Keys(x.found)) {
		if x.told[key] { // a stale order is missing where it is now, and found by number where it was
			continue
		}
		x.told[key] = true
		f := x.found[key]
		d := audit.Differ(audit.Stream, f.kind, audit.EntryOf(f.row.Record))
		d.Repaired = repair && f.kind != audit.Extra && x.judge(f.row) == ""
		all = append(all, d)
	}
	audit.Sort(all)
	for _, d := range all {
		x.window.Tally(d)
		report.Add(d)
	}
	report.Windows = append(report.Windows, x.window)
	a.metrics.audited(x.window)
	return stored, nil
}

// tellReport notes how far an audit is and what it found.
func (a *Auditor) tellReport(ctx context.Context, id string, p control.Progress, report audit.Report, end bool) error {
	data, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("write the report of job %s: %w", id, err)
	}
	return a.advance(ctx, id, end, func(j *control.Job) { j.Progress, j.Report = p, data })
}

// finished counts and logs an audit.
func (a *Auditor) finished(id string, report *audit.Report) {
	a.metrics.audits.Inc()
	a.metrics.auditEnd.Set(float64(report.Ended.Unix()))
	a.metrics.auditGaps.Set(float64(report.Gaps()))
	log := a.log.WithFields(logrus.Fields{logging.Job: id, logging.Records: report.Found(), logging.Repaired: report.Repaired()})
	if report.Found() == 0 {
		log.Info("the audit found nothing amiss")
		return
	}
	log.WithField(logging.Remedy, "see what by: juliu audit --job "+id).Warn("the audit found differences")
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
