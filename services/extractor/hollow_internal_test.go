package extractor

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
)

// hiding is an ERP that counts an order in every window around a moment and never shows it; until a time it also hides the orders that it has.
type hiding struct {
	ERP

	at    time.Time
	until time.Time
}

func (h hiding) Query(ctx context.Context, e jushuitan.Endpoint, biz any) (jushuitan.Page, error) {
	page, err := h.ERP.Query(ctx, e, biz)
	q, ok := biz.(jushuitan.SalesOutQuery)
	if !ok || page.DataCount == nil || q.Begin.IsZero() || q.Begin.After(h.at) || q.End.Before(h.at) {
		return page, err
	}
	switch {
	case h.until.IsZero():
		n := *page.DataCount + 1
		page.DataCount = &n
	case time.Now().Before(h.until):
		page.Rows = nil
	}
	return page, err
}

// hide makes an ERP that every lane but the live one finds to be hiding.
func (w *walked) hide(at time.Time, until func() time.Time) {
	honest := w.newReader
	w.newReader = func() *reader {
		r := honest()
		r.erp = hiding{r.erp, at, until()}
		return r
	}
}

func never() time.Time { return time.Time{} }

// A second in which the ERP counts orders and shows none holds a backfill up for as long as it does the live lane, and not for ever.
func TestABackfillGoesOnPastWhatTheERPHides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWalk(t, calm(sandbox.Config{Seed: 1, Orders: 300, History: 5 * time.Hour}), 0, func(c *Config) { c.Start = time.Now().Add(-time.Hour) })
		w.catchUp(t)
		w.hide(time.Now().Add(-8*time.Hour), never)
		spec, err := json.Marshal(Backfill{From: time.Now().Add(-10 * time.Hour), To: time.Now().Add(-6 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		d := &desk{changed: make(chan struct{}, 1), job: control.Job{ID: "1", Kind: BackfillKind, Source: "main", State: control.Running, Spec: spec}}
		b := newBackfiller(w.poller.cfg, d, w.poller.writer, w.newReader, w.client.Usage, w.poller.log, time.Now)
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		var group sync.WaitGroup
		group.Go(func() {
			if err := b.Run(ctx, t.Context()); err != nil {
				t.Error(err)
			}
		})
		for ctx.Err() == nil && !d.look().State.Ended() {
			<-time.After(time.Second)
		}
		stop()
		group.Wait()
		if job := d.look(); job.State != control.Done {
			t.Errorf("after an hour the job is %s: %+v, %s", job.State, job.Progress, job.Problem)
		}
	})
}

// What the ERP counts and does not show is no proof of completeness, and the report says so.
func TestAnAuditSaysWhatTheERPHides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, random := stored(t, 3, asIs, func(c *sandbox.Config) { c.HideArchived, c.History = false, 5*time.Hour })
		start := w.poller.cfg.Start
		w.hide(start.Add(-10*time.Hour), never)
		for _, exact := range []bool{false, true} {
			r := w.auditOf(t, Audit{From: start.Add(-20 * time.Hour), To: time.Now(), Exact: exact})
			if r.Found() > 0 || r.Total().Unshown == 0 || !strings.Contains(r.Verdict(), "times the ERP counted orders in a second and showed none") {
				t.Errorf("exact %v: %d differences, %d times: %s", exact, r.Found(), r.Total().Unshown, r.Verdict())
			}
		}
		want := w.forgetful(random, 3)
		if r := w.audited(t, Audit{}); r.Gaps() != len(want) {
			t.Errorf("%d gaps, want %d", r.Gaps(), len(want))
		}
	})
}

// Some seconds of empty answers are waited for: they do not make an order that is missing one that the ERP does not have.
func TestAnAuditOutlastsEmptyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, random := stored(t, 3, asIs, func(c *sandbox.Config) { c.HideArchived, c.History = false, 5*time.Hour })
		want := w.forgetful(random, 1)
		for key := range want {
			w.hide(w.erp.box.Ledger().Final()[key].Modified, func() time.Time { return time.Now().Add(5 * time.Second) })
			if r := w.audited(t, Audit{}); kinds(r)[key] != audit.Missing {
				t.Errorf("order %s is missing, named are %v: %s", key, r.Differences, r.Verdict())
			}
		}
	})
}
