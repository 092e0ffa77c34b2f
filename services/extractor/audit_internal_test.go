package extractor

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/record"
)

// calm is a sandbox without faults.
func calm(cfg sandbox.Config) sandbox.Config {
	cfg.RatePerSecond, cfg.RatePerMinute = 1000, 60_000
	return cfg
}

// audited carries out an audit of everything up to a minute ago and returns its report.
func (w *walked) audited(t *testing.T, spec Audit) audit.Report {
	t.Helper()
	spec.From, spec.To = w.poller.cfg.Start, time.Now()
	return w.auditOf(t, spec)
}

func (w *walked) auditOf(t *testing.T, spec Audit) audit.Report {
	t.Helper()
	asked, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{changed: make(chan struct{}, 1), job: control.Job{ID: "1", Kind: AuditKind, Source: "main", State: control.Planning, Spec: asked}}
	a := newAuditor(w.poller.cfg, d, w.poller.writer, w.newReader, w.poller.log, w.poller.metrics, time.Now)
	work := func() {
		for tries := 0; ; tries++ {
			if err := a.carryOut(jushuitan.WithLane(t.Context(), jushuitan.Audit), t.Context(), d.look()); err == nil {
				return
			} else if tries == 100 {
				t.Fatal(err)
			}
		}
	}
	work()
	if _, err := d.Change(t.Context(), "1", func(j *control.Job) error { return j.Move(control.Running) }); err != nil {
		t.Fatal(err)
	}
	work()
	var report audit.Report
	if err := json.Unmarshal(d.look().Report, &report); err != nil || d.look().State != control.Done {
		t.Fatalf("the job is %s, %v", d.look().State, err)
	}
	return report
}

// kinds are the differences of a report.
func kinds(r audit.Report) map[string]audit.Kind {
	all := map[string]audit.Kind{}
	for _, d := range r.Differences {
		all[d.Key] = d.Kind
	}
	return all
}

// forgetful deletes the records of some orders from the stream, of those that the ERP shows.
func (w *walked) forgetful(random *rand.Rand, n int) map[string]audit.Kind {
	lost := map[string]audit.Kind{}
	for _, key := range w.shown(random)[:n] {
		delete(w.stream.newest, key)
		lost[key] = audit.Missing
	}
	return lost
}

// shown are the orders that the ERP shows and the stream holds, shuffled.
func (w *walked) shown(random *rand.Rand) []string {
	var keys []string
	for key := range w.erp.box.Ledger().Final() {
		if _, ok := w.stream.newest[key]; ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

// stored makes an ERP with orders that lived for a while, and a stream that holds them.
func stored(t *testing.T, seed uint64, edit func(*Config), more func(*sandbox.Config)) (*walked, *rand.Rand) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 11))
	cfg := calm(sandbox.Config{
		Seed: seed, Orders: 300 + random.IntN(900), History: time.Duration(1+random.IntN(40*60)) * time.Minute,
		Edges: []sandbox.Edges{sandbox.InclusiveEdges, sandbox.HalfOpenEdges, sandbox.ExclusiveEdges}[random.IntN(3)], HideArchived: random.IntN(2) == 0,
		Faults: sandbox.Faults{Milliseconds: float64(random.IntN(2)) * 0.3},
	})
	if more != nil {
		more(&cfg)
	}
	w := newWalk(t, cfg, 0, func(c *Config) {
		c.Start, c.SweepSpan = time.Now().Add(-cfg.History-time.Hour), 92*24*time.Hour
		edit(c)
	})
	w.erp.slow = [2]time.Duration{10 * time.Millisecond, 20 * time.Millisecond}
	w.catchUp(t)
	w.erp.box.SetTraffic(sandbox.Traffic{NewShare: 0.2, EditShare: 0.3})
	for range 20 {
		<-time.After(time.Minute)
		w.erp.box.Step(random.IntN(20))
	}
	w.rest(t)
	<-time.After(5 * time.Minute)
	w.catchUp(t)
	if cfg.HideArchived { // what was archived before anybody read it is missing
		w.audited(t, Audit{Exact: true, Repair: true})
	}
	return w, random
}

// Whatever the ERP's reading of a window's ends, and whether it shows archived orders or not: what was deleted from the stream is named, and
// nothing else is; it is repaired, and then a count a day tells that all is well.
func TestAnAuditNamesWhatWasDeleted(t *testing.T) {
	t.Parallel()
	seeds := uint64(10)
	if long() {
		seeds = 1000
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w, random := stored(t, seed, asIs, nil)
			if r := w.audited(t, Audit{}); r.Found() > 0 {
				t.Errorf("seed %d: nothing is wrong, named are %v", seed, r.Differences)
			}
			want := w.forgetful(random, 1+random.IntN(40))
			r := w.audited(t, Audit{})
			if diff := cmp.Diff(want, kinds(r)); diff != "" || r.Gaps() != len(want) {
				t.Errorf("seed %d: %d gaps (- want, + got):\n%s", seed, r.Gaps(), diff)
			}
			r = w.audited(t, Audit{Repair: true})
			if diff := cmp.Diff(want, kinds(r)); diff != "" || r.Gaps() != 0 || r.Repaired() != len(want) {
				t.Errorf("seed %d: repaired %d (- want, + got):\n%s", seed, r.Repaired(), diff)
			}
			if r = w.audited(t, Audit{}); r.Found() > 0 || len(w.lost()) > 0 || len(w.stream.faults) > 0 {
				t.Errorf("seed %d: afterwards %v, lost %v, faults %v", seed, r.Differences, w.lost(), w.stream.faults)
			}
		})
	}
}

// Every kind of difference at once, in an exact audit; also where counts cancel each other.
func TestAnExactAuditSeesEveryDifference(t *testing.T) {
	t.Parallel()
	seeds := uint64(4)
	if long() {
		seeds = 500
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w, random := stored(t, seed, asIs, nil)
			want := w.forgetful(random, 5)
			keys := w.shown(random)
			for _, key := range keys[:5] {
				r := w.stream.newest[key]
				r.Version.TS--
				r.Version.Modified = r.Version.Modified.Add(-time.Duration(random.IntN(3000)) * time.Second)
				w.stream.newest[key], want[key] = r, audit.Stale
			}
			for _, key := range keys[5:10] {
				r := w.stream.newest[key]
				r.Hash[0]++
				w.stream.newest[key], want[key] = r, audit.Altered
			}
			gone := record.Record{Key: "7", Version: w.stream.newest[keys[11]].Version}
			w.stream.newest["7"], want["7"] = gone, audit.Extra
			r := w.audited(t, Audit{Exact: true})
			if diff := cmp.Diff(want, kinds(r)); diff != "" || r.Gaps() != 15 {
				t.Errorf("seed %d: %d gaps (- want, + got):\n%s", seed, r.Gaps(), diff)
			}
			w.stream.faults = nil
			r = w.audited(t, Audit{Exact: true, Repair: true})
			if diff := cmp.Diff(want, kinds(r)); diff != "" || r.Gaps() != 0 || r.Repaired() != 15 {
				t.Errorf("seed %d: repaired %d (- want, + got):\n%s", seed, r.Repaired(), diff)
			}
			r = w.audited(t, Audit{Exact: true})
			if diff := cmp.Diff(map[string]audit.Kind{"7": audit.Extra}, kinds(r)); diff != "" || r.Gaps() != 0 || len(w.lost()) > 0 {
				t.Errorf("seed %d: afterwards lost %v (- want, + got):\n%s", seed, w.lost(), diff)
			}
		})
	}
}

// As many orders are missing as the ERP keeps apart because they are archived: its count is what the stream holds, and all is found.
func TestArchivedOrdersHideNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, random := stored(t, 4, asIs, func(c *sandbox.Config) { c.HideArchived, c.History = true, 5*time.Hour })
		apart := len(w.stream.newest) - len(w.erp.box.Ledger().Final())
		keys, want := w.shown(random), map[string]audit.Kind{}
		slices.SortFunc(keys, func(a, b string) int { return w.stream.newest[b].Version.Compare(w.stream.newest[a].Version) })
		for _, key := range keys[:apart] { // the newest ones, which no first page shows
			delete(w.stream.newest, key)
			want[key] = audit.Missing
		}
		r := w.audited(t, Audit{})
		if diff := cmp.Diff(want, kinds(r)); diff != "" || apart == 0 || len(r.Windows) != 1 {
			t.Errorf("%d days, %d archived (- want, + got):\n%s", len(r.Windows), apart, diff)
		}
	})
}

// Archived orders that nobody has stored are named, and leave no count wrong that would have every row read.
func TestArchivedOrdersThatAreMissingCostFewCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := stored(t, 1, asIs, func(c *sandbox.Config) { c.HideArchived, c.Orders, c.History = true, 4000, 20*time.Hour })
		want := map[string]audit.Kind{}
		shown := w.erp.box.Ledger().Final()
		for key := range w.stream.newest {
			if _, ok := shown[key]; !ok {
				delete(w.stream.newest, key)
				want[key] = audit.Missing
			}
		}
		r := w.audited(t, Audit{})
		if diff := cmp.Diff(want, kinds(r)); diff != "" || len(want) == 0 || r.Calls > 40 {
			t.Errorf("%d calls, at most 40, %d archived (- want, + got):\n%s", r.Calls, len(want), diff)
		}
	})
}

// One order of many is found by halving, not by reading all.
func TestOneMissingOrderCostsFewCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, random := stored(t, 1, asIs, func(c *sandbox.Config) { c.Orders, c.History = 4000, 20*time.Hour })
		want := w.forgetful(random, 1)
		r := w.audited(t, Audit{})
		t.Logf("%d calls for one of %d orders", r.Calls, r.Total().ERP)
		if diff := cmp.Diff(want, kinds(r)); diff != "" || r.Calls > 40 {
			t.Errorf("%d calls, at most 40 (- want, + got):\n%s", r.Calls, diff)
		}
	})
}

// A source that stores shipped orders alone is held against the ERP's count of those.
func TestAnAuditOfAStatusCountsThatStatus(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			w, random := stored(t, seed, func(c *Config) { c.Filter.Status = "Confirmed" }, func(c *sandbox.Config) { c.HideArchived = false })
			r := w.audited(t, Audit{})
			if all := len(w.erp.box.Ledger().Final()); r.Found() > 0 || r.Total().Stream != int64(len(w.stream.newest)) || len(w.stream.newest) >= all {
				t.Errorf("seed %d: %d of %d orders stored; %+v", seed, len(w.stream.newest), all, r)
			}
			if most := int64(len(Statuses()) * w.poller.cfg.PageSize * len(r.Windows)); r.Total().Compared == 0 || r.Total().Compared > most {
				t.Errorf("seed %d: compared %d rows, more than first pages: %+v", seed, r.Total().Compared, r.Windows)
			}
			altered := w.shown(random)
			slices.SortFunc(altered, func(a, b string) int { return w.stream.newest[a].Version.Compare(w.stream.newest[b].Version) })
			first := w.stream.newest[altered[0]] // which stands on a first page
			damaged := first
			damaged.Hash[0]++
			w.stream.newest[altered[0]] = damaged
			if diff := cmp.Diff(map[string]audit.Kind{altered[0]: audit.Altered}, kinds(w.audited(t, Audit{}))); diff != "" {
				t.Errorf("seed %d: a first page was not compared (- want, + got):\n%s", seed, diff)
			}
			w.stream.newest[altered[0]] = first
			want := w.forgetful(random, 7)
			if diff := cmp.Diff(want, kinds(w.audited(t, Audit{Repair: true}))); diff != "" {
				t.Errorf("seed %d (- want, + got):\n%s", seed, diff)
			}
			if r := w.audited(t, Audit{}); r.Found() > 0 {
				t.Errorf("seed %d: afterwards %v", seed, r.Differences)
			}
		})
	}
}

// liar is an ERP whose counts are wrong by a number, or absent.
type liar struct {
	ERP

	by     int
	silent bool
}

func (l liar) Query(ctx context.Context, e jushuitan.Endpoint, biz any) (jushuitan.Page, error) {
	page, err := l.ERP.Query(ctx, e, biz)
	switch q, ok := biz.(jushuitan.SalesOutQuery); {
	case !ok || len(q.IOIDs) > 0 || page.DataCount == nil || *page.DataCount == 0:
	case l.silent:
		page.DataCount = nil
	default:
		n := *page.DataCount + l.by
		page.DataCount = &n
	}
	return page, err
}

// Counts that lie cost calls, and hide nothing and invent nothing.
func TestAnAuditDoesNotBelieveCountsThatLie(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]liar{"3 too many": {by: 3}, "none": {silent: true}, "as they are": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, random := stored(t, 3, asIs, func(c *sandbox.Config) { c.HideArchived, c.History = false, 5*time.Hour })
				honest := w.newReader
				w.newReader = func() *reader {
					r := honest()
					lie.ERP = r.erp
					r.erp = lie
					return r
				}
				r := w.audited(t, Audit{})
				if r.Found() > 0 || r.Total().Overcounted != int64(lie.by*len(r.Windows)) {
					t.Errorf("%d counted too many, found %v", r.Total().Overcounted, r.Differences)
				}
				if diff := cmp.Diff(w.forgetful(random, 9), kinds(w.audited(t, Audit{}))); diff != "" {
					t.Errorf("- want, + got:\n%s", diff)
				}
			})
		})
	}
}

// deaf takes dead letters.
type deaf struct{}

func (deaf) KeepRow(context.Context, string, string, []byte, string, string) error { return nil }

// Rows without a number are counted by the ERP and stand in the dead letters: they are no gap.
func TestRowsWithoutANumberAreNoGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWalk(t, calm(sandbox.Config{Seed: 1, Orders: 600, Faults: sandbox.Faults{NoIdentity: 0.02}}), 0, asIs)
		w.poller.writer.deadLetters = deaf{}
		w.catchUp(t)
		<-time.After(10 * time.Minute)
		w.catchUp(t)
		r := w.audited(t, Audit{})
		if n := w.erp.box.Ledger().Nameless(); n == 0 || r.Total().Nameless != n || r.Found() > 0 || r.Total().Overcounted != 0 {
			t.Errorf("%d rows have no number, the report says %d, counted too many %d, found %v", n, r.Total().Nameless, r.Total().Overcounted, r.Differences)
		}
	})
}

// While orders move under it and the live lane takes them, an audit names nothing that is not so.
func TestAnAuditOverAMovingERPInventsNothing(t *testing.T) {
	t.Parallel()
	seeds := uint64(4)
	counted, read := int64(0), int64(0)
	if long() {
		seeds = 50
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := newWalk(t, sandbox.Config{Seed: seed, Orders: 1500, History: 30 * time.Hour}, 6, func(c *Config) {
				c.Start, c.Overlap, c.SweepEvery = time.Now().Add(-31*time.Hour), 10*time.Minute, 0
			})
			w.goOn(t, 30*time.Minute)
			ctx, stop := context.WithCancel(t.Context())
			var group sync.WaitGroup
			group.Go(func() { _ = w.poller.Run(ctx, t.Context()) })
			var reports []audit.Report
			for _, spec := range []Audit{{}, {Exact: true}} {
				reports = append(reports, w.audited(t, spec))
			}
			stop()
			group.Wait()
			for _, r := range reports {
				total := r.Total()
				t.Logf("seed %d: %d orders, %d compared, %d moved meanwhile, %d calls", seed, total.ERP, total.Compared, total.Moved, r.Calls)
				if r.Found() > 0 {
					t.Errorf("seed %d: %v", seed, r.Differences)
				}
			}
			if len(w.stream.faults) > 0 {
				t.Errorf("seed %d: %v", seed, w.stream.faults)
			}
			counted, read = counted+reports[0].Calls, read+reports[1].Calls
		})
	}
	if counted*3 > read*2 {
		t.Errorf("%d calls by count, %d for every row: what moved was not accounted for", counted, read)
	}
}
