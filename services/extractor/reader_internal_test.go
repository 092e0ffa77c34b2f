package extractor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"juliu/pkg/jushuitan"
)

// shelf is the least that a moving result set is: rows ordered by modification time, changed before each call. The sandbox plays the
// whole ERP; here every interleaving of changes and calls is drawn.
type shelf struct {
	rows   []shelfRow
	before func(call int)
	calls  int
	// counts says whether data_count and page_count are given; moreText whether has_next is.
	counts, hasNext bool
	// byNumber orders the rows by their number, not by modification.
	byNumber bool
}

type shelfRow struct {
	id       int
	modified time.Time
	tie      int // orders equal times before the id does
}

// text is the row as the ERP gives it.
func (r shelfRow) text() string {
	return fmt.Sprintf(`{"io_id":%d,"modified":%q}`, r.id+2, jushuitan.At(r.modified))
}

func (s *shelf) Query(_ context.Context, _ jushuitan.Endpoint, biz any) (jushuitan.Page, error) {
	q, ok := biz.(jushuitan.SalesOutQuery)
	if !ok {
		return jushuitan.Page{}, fmt.Errorf("unexpected query %T", biz)
	}
	s.calls++
	if s.before != nil {
		s.before(s.calls)
	}
	slices.SortFunc(s.rows, func(a, b shelfRow) int {
		if c := a.modified.Compare(b.modified); c != 0 && !s.byNumber {
			return c
		}
		return cmp.Or(cmp.Compare(a.tie, b.tie), a.id-b.id)
	})
	var in [][]byte
	for _, r := range s.rows {
		if !r.modified.Before(q.Begin.Time) && !r.modified.After(q.End.Time) {
			in = append(in, []byte(r.text()))
		}
	}
	page := jushuitan.Page{Index: q.PageIndex, Size: q.PageSize}
	count, pages := len(in), (len(in)+q.PageSize-1)/q.PageSize
	from := min((q.PageIndex-1)*q.PageSize, count)
	page.Rows = in[from:min(from+q.PageSize, count)]
	if s.counts {
		page.DataCount, page.PageCount = &count, &pages
	}
	if s.hasNext {
		more := q.PageIndex < pages
		page.HasNext = &more
	}
	return page, nil
}

func newReader(erp ERP, size int) *reader {
	log := logrus.New()
	log.SetOutput(io.Discard)
	m, err := newMetrics(prometheus.NewRegistry(), func() jushuitan.Usage { return jushuitan.Usage{} })
	if err != nil {
		panic(err)
	}
	return &reader{erp: erp, resource: Resources()[0], size: size, settle: 30 * time.Second, now: func() time.Time { return noon }, log: log, metrics: m}
}

// fill puts n rows into the ten minutes after noon.
func (s *shelf) fill(n int, at func(i int) time.Duration) {
	for i := range n {
		s.rows = append(s.rows, shelfRow{id: i, modified: noon.Add(at(i)).Truncate(time.Second)})
	}
}

// readAll reads a window slice by slice, as a Poller does.
func readAll(ctx context.Context, r *reader, w Window) (map[string]bool, error) {
	seen := map[string]bool{}
	for begin := w.Begin; begin.Before(w.End); {
		rows, read, err := r.read(ctx, Window{Begin: begin, End: w.End})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			seen[string(row.Raw)] = true
		}
		begin = read.End
	}
	return seen, nil
}

func TestReaderSeesEveryRowThatRests(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &shelf{
			counts: rapid.Bool().Draw(t, "counts"), hasNext: rapid.Bool().Draw(t, "has_next"), byNumber: rapid.Bool().Draw(t, "by number"),
		}
		n := rapid.IntRange(0, 400).Draw(t, "rows")
		s.fill(n, func(int) time.Duration { return time.Duration(rapid.IntRange(0, 600).Draw(t, "at")) * time.Second })
		rested := map[string]bool{}
		for _, r := range s.rows {
			rested[r.text()] = true
		}
		s.before = func(int) { // rows are changed between any two calls: they leave the window
			for range rapid.IntRange(0, 5).Draw(t, "changes") {
				if len(s.rows) == 0 {
					return
				}
				i := rapid.IntRange(0, len(s.rows)-1).Draw(t, "changed")
				delete(rested, s.rows[i].text())
				s.rows[i].modified = noon.Add(time.Hour)
			}
		}
		r := newReader(s, 10)
		w := Window{Begin: noon.Add(-edge), End: noon.Add(601 * time.Second)}
		seen, err := readAll(context.Background(), r, w)
		if err != nil {
			t.Fatal(err)
		}
		for id := range rested {
			if !seen[id] {
				t.Fatalf("row %s never moved and was not read", id)
			}
		}
	})
}

// A late commit at the window's front pushes rows back, onto pages that were read already. It shows itself at the next look back; the rows
// that it pushes must not be lost.
func TestReaderSeesRowsThatAnotherPushes(t *testing.T) {
	t.Parallel()
	for _, byNumber := range []bool{false, true} {
		for at := 1; at < 12; at++ {
			s := &shelf{counts: true, hasNext: true, byNumber: byNumber}
			s.fill(60, func(i int) time.Duration { return time.Duration(i*10) * time.Second })
			s.before = func(call int) {
				if call == at {
					s.rows = append(s.rows, shelfRow{id: -1, modified: noon.Add(time.Second)})
				}
			}
			rested := slices.Clone(s.rows)
			seen, err := readAll(t.Context(), newReader(s, 10), Window{Begin: noon, End: noon.Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rested {
				if !seen[r.text()] {
					t.Errorf("by number %v: pushed before call %d, row %d was not read", byNumber, at, r.id)
				}
			}
		}
	}
}

// The proof that the tests above can fail: the walk from the first page, which every integration uses today, loses rows.
func TestAForwardWalkLosesRows(t *testing.T) {
	t.Parallel()
	s := &shelf{counts: true, hasNext: true}
	s.fill(60, func(i int) time.Duration { return time.Duration(i*10) * time.Second })
	s.before = func(call int) {
		if call == 2 {
			s.rows[0].modified = noon.Add(2 * time.Hour)
		}
	}
	r := newReader(s, 10)
	seen := map[string]bool{}
	for index := 1; index <= 6; index++ {
		_, rows, err := r.page(t.Context(), Ask{Window: Window{Begin: noon, End: noon.Add(time.Hour)}, Page: index})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			seen[string(row.Raw)] = true
		}
	}
	if len(seen) == 60 {
		t.Fatal("a forward walk lost nothing: the test does not move rows")
	}
}

func TestReaderCountsItsCalls(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		rows, size, calls int
		byNumber          bool
	}{
		"an empty window costs one call":                     {0, 10, 1, false},
		"a full page costs a look behind it":                 {10, 10, 3, false},
		"less than a page costs one call":                    {9, 10, 1, false},
		"of the next page two seconds are shown again":       {25, 10, 5, false},
		"pages are full but for the seconds that meet":       {400, 50, 10, false},
		"in another order, three pages cost one call more":   {25, 10, 6, true},
		"in another order, twenty pages are one walk":        {200, 10, 31, true},
		"in another order, a deep window is halved until it": {400, 10, 54, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{counts: true, hasNext: true, byNumber: c.byNumber}
			s.fill(c.rows, func(i int) time.Duration {
				if c.byNumber {
					i = c.rows - 1 - i
				}
				return time.Duration(i) * time.Second
			})
			seen, err := readAll(t.Context(), newReader(s, c.size), Window{Begin: noon.Add(-time.Second), End: noon.Add(400 * time.Second)})
			if err != nil {
				t.Fatal(err)
			}
			if len(seen) != c.rows || s.calls > c.calls {
				t.Fatalf("read %d rows in %d calls, want %d in at most %d", len(seen), s.calls, c.rows, c.calls)
			}
		})
	}
}

func TestReaderBelievesNoSingleSignal(t *testing.T) {
	t.Parallel()
	yes, no, three, one := true, false, 30, 1
	full := make([][]byte, 10)
	cases := map[string]struct {
		page jushuitan.Page
		more bool
	}{
		"no signal and a full page":                {jushuitan.Page{Rows: full}, true},
		"no signal and a short page":               {jushuitan.Page{Rows: full[:3]}, false},
		"has_next false but the count says more":   {jushuitan.Page{Rows: full, HasNext: &no, DataCount: &three}, true},
		"has_next true beyond the count":           {jushuitan.Page{Rows: full, HasNext: &yes, PageCount: &one}, true},
		"has_next true on an empty page":           {jushuitan.Page{HasNext: &yes, DataCount: &three}, false},
		"has_next false and a full page, no count": {jushuitan.Page{Rows: full, HasNext: &no}, true},
		"the vendor's smaller page size counts":    {jushuitan.Page{Rows: full[:5], Size: 5}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mayHaveMore(c.page, 1, 10); got != c.more {
				t.Fatalf("may have more: %v, want %v", got, c.more)
			}
		})
	}
}

func TestReaderRefusesAClockFarFromTheERPs(t *testing.T) {
	t.Parallel()
	r := newReader(skewed{}, 10)
	_, _, err := r.read(t.Context(), Window{Begin: noon, End: noon.Add(time.Hour)})
	if err == nil || !strings.Contains(err.Error(), "NTP") {
		t.Fatalf("got %v", err)
	}
}

// overcount counts one row more than it shows where it shows any, as a count may that includes what the merchant may not see.
type overcount struct{ shelf *shelf }

func (o overcount) Query(ctx context.Context, e jushuitan.Endpoint, biz any) (jushuitan.Page, error) {
	page, err := o.shelf.Query(ctx, e, biz)
	if *page.DataCount > 0 {
		*page.DataCount++
	}
	return page, err
}

func TestReaderIsNotDrivenMadByACountThatIsAlwaysTooHigh(t *testing.T) {
	t.Parallel()
	s := &shelf{counts: true}
	s.fill(35, func(i int) time.Duration { return time.Duration(i) * time.Second })
	seen, err := readAll(t.Context(), newReader(overcount{s}, 10), Window{Begin: noon, End: noon.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 35 || s.calls > 80 {
		t.Fatalf("read %d rows in %d calls", len(seen), s.calls)
	}
}

// answer gives one page whatever is asked.
type answer struct{ page jushuitan.Page }

func (a answer) Query(context.Context, jushuitan.Endpoint, any) (jushuitan.Page, error) {
	return a.page, nil
}

func TestReaderTakesSuccessWithoutTheRowsForAFailure(t *testing.T) {
	t.Parallel()
	yes, no, none, many := true, false, 0, 500
	cases := map[string]struct {
		page jushuitan.Page
		want error
	}{
		"nothing at all":            {jushuitan.Page{}, ErrHollow},
		"no rows but a count":       {jushuitan.Page{DataCount: &many}, ErrHollow},
		"no rows but pages":         {jushuitan.Page{PageCount: &many}, ErrHollow},
		"no rows but more to come":  {jushuitan.Page{HasNext: &yes}, ErrHollow},
		"no rows and a count of 0":  {jushuitan.Page{DataCount: &none}, nil},
		"only has_next says more":   {jushuitan.Page{DataCount: &none, HasNext: &yes}, nil},
		"no rows and no next page":  {jushuitan.Page{HasNext: &no}, nil},
		"a clock that is not ahead": {jushuitan.Page{DataCount: &none, ServerTime: noon}, nil},
		"a window too near to now":  {jushuitan.Page{DataCount: &none, ServerTime: noon.Add(-40 * time.Second)}, ErrUnsettled},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(answer{c.page}, 10)
			_, _, err := r.read(t.Context(), Window{Begin: noon.Add(-time.Hour), End: noon.Add(-30 * time.Second)})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			if errors.Is(err, ErrUnsettled) && r.ahead < 40*time.Second {
				t.Fatalf("plans with our clock %v ahead", r.ahead)
			}
		})
	}
}

func TestReaderForgetsAClockThatWasSetRight(t *testing.T) {
	t.Parallel()
	none := 0
	r := newReader(answer{jushuitan.Page{DataCount: &none, ServerTime: noon}}, 10)
	r.ahead = 40 * time.Second
	if _, _, err := r.read(t.Context(), Window{Begin: noon.Add(-time.Hour), End: noon.Add(-70 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	if r.ahead != 0 {
		t.Fatalf("still plans as if the clock were %v ahead", r.ahead)
	}
}

// Equal times in an order of their own at each call, and rows that leave: each hides the other from a count that only may not grow.
func TestReaderSeesRowsWhoseOrderChanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := &shelf{counts: true, hasNext: true}
		s.fill(210, func(i int) time.Duration { return time.Duration(i/7) * time.Second })
		leave := 6
		s.before = func(int) {
			for i := range s.rows {
				s.rows[i].tie = random.Int()
			}
			if leave > 0 && random.IntN(2) == 0 {
				s.rows[random.IntN(len(s.rows))].modified = noon.Add(time.Hour)
				leave--
			}
		}
		seen, err := readAll(t.Context(), newReader(s, 40), Window{Begin: noon, End: noon.Add(40 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.rows {
			if r.modified.Before(noon.Add(time.Minute)) && !seen[r.text()] {
				t.Fatalf("seed %d: row %d rested and was not read", seed, r.id)
			}
		}
	}
}

type skewed struct{}

func (skewed) Query(context.Context, jushuitan.Endpoint, any) (jushuitan.Page, error) {
	return jushuitan.Page{ServerTime: noon.Add(-2 * time.Minute)}, nil
}
