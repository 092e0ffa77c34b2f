package juliu

import (
	"slices"
	"strconv"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

const (
	// jobRecent is for how long a job that failed is told.
	jobRecent = 24 * time.Hour
	// jobStands is after how long without a word a running job does not get on: it notes its progress after every page, or every day compared.
	jobStands = time.Hour
)

func aboutJobs(f facts) []finding {
	if !f.nats.seenJobs {
		return nil // what is wrong was said above
	}
	var found []finding
	for _, job := range f.nats.jobs {
		pairs := []string{"id", job.ID, "kind", job.Kind, "problem", job.Problem, "since", spell(f.now.Sub(job.Updated))}
		switch {
		case job.State == control.Failed && f.recent(job) && !f.audited(job):
			found = append(found, find(levelWarn, "job-failed", pairs...))
		case job.State.Ended():
		case job.Problem != "":
			found = append(found, find(levelWarn, "job", pairs...))
		case job.State == control.Running && f.now.Sub(job.Updated) > jobStands:
			found = append(found, find(levelWarn, "job-stands", pairs...))
		}
	}
	return unless(found, "jobs")
}

// recent is also a job that cannot be read, which has no times.
func (f *facts) recent(job control.Job) bool {
	return job.Ended.IsZero() || f.now.Sub(job.Ended) < jobRecent
}

// audited reports that a later audit did what one was to do that failed.
func (f *facts) audited(job control.Job) bool {
	last := lastAudit(f.nats.jobs, job.Source)
	return job.Kind == extractor.AuditKind && last != nil && last.Failed == nil
}

// aboutAudits is about the proof that nothing is missing.
func aboutAudits(f facts) []finding {
	if !f.nats.seenJobs {
		return nil
	}
	sources := f.nats.sources
	if f.up {
		sources = newest(sources)
	}
	var found []finding
	for _, s := range sources {
		found = append(found, f.aboutAudit(s)...)
	}
	return found
}

func (f *facts) aboutAudit(s stream.SourceState) []finding {
	last := lastAudit(f.nats.jobs, s.Source)
	if last == nil || last.Job == "" {
		return []finding{find(levelSkip, "audit-none", "source", s.Source)}
	}
	var found []finding
	since := f.now.Sub(last.Ended)
	left := last.Left
	if last.Gaps > 0 {
		left = slices.Insert(left, 0, last.left())
	}
	for _, l := range left {
		found = append(found, find(levelFail, "audit-gaps", "source", s.Source, "gaps", strconv.Itoa(l.Gaps), "id", l.Job,
			"from", l.From.Format(time.RFC3339), "to", l.To.Format(time.RFC3339), "repair", l.repair()))
	}
	if failed := last.Failed; failed != nil && f.now.Sub(failed.Ended) >= jobRecent { // else it is told among the jobs
		found = append(found, find(levelWarn, "job-failed", "id", failed.Job, "kind", extractor.AuditKind, "problem", failed.Problem))
	}
	_, held := f.nats.holders[s.Source]
	if every := f.reading.AuditEvery; s.Source == f.reading.Source && f.ours && held && every > 0 && since > 2*every+time.Hour {
		found = append(found, find(levelWarn, "audit-late", "source", s.Source, "since", spell(since), "every", spell(every)))
	}
	if last.Gaps == 0 && !last.Complete {
		return append(found, find(levelSkip, "audit-empty", "source", s.Source, "id", last.Job))
	}
	return unless(found, "audit", "source", s.Source, "since", spell(since), "from", day(last.From), "to", day(last.To))
}

// repair are the flags that repair what an audit left, looking as it did.
func (l leftLine) repair() string {
	flags := "--repair"
	if l.Exact {
		flags += " --exact"
	}
	if l.Shop != "" {
		flags += " --shop " + l.Shop
	}
	return flags
}
