package extractor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"juliu/pkg/jushuitan"
)

// contrary answers like a shelf, but for what change makes of it.
type contrary struct {
	shelf  *shelf
	change func(q jushuitan.SalesOutQuery, page *jushuitan.Page) error
}

func (c contrary) Query(ctx context.Context, e jushuitan.Endpoint, biz any) (jushuitan.Page, error) {
	page, err := c.shelf.Query(ctx, e, biz)
	q, ok := biz.(jushuitan.SalesOutQuery)
	if err != nil || !ok {
		return page, errors.Join(err, errors.New("unexpected query"))
	}
	return page, c.change(q, &page)
}

// However an ERP contradicts itself, the reader neither misses what it shows nor asks for ever.
func TestReaderBearsAContraryERP(t *testing.T) {
	t.Parallel()
	n, none, many, yes := 10, 0, 500_000, true
	one := 1
	trouble := map[string]int{}
	cases := map[string]struct {
		rows     func(i int) time.Duration
		byNumber bool
		change   func(q jushuitan.SalesOutQuery, page *jushuitan.Page) error
		calls    int // at most
	}{
		"a count of 0 beside full pages": {nil, false, func(_ jushuitan.SalesOutQuery, page *jushuitan.Page) error {
			page.DataCount, page.PageCount = &none, nil
			return nil
		}, 60},
		"a count of the page itself, in another order": {nil, true, func(_ jushuitan.SalesOutQuery, page *jushuitan.Page) error {
			page.DataCount, page.PageCount = &n, &one
			return nil
		}, 400},
		"a count of the whole table": {nil, true, func(q jushuitan.SalesOutQuery, page *jushuitan.Page) error {
			if len(page.Rows) > 0 || q.PageIndex > 1 {
				page.DataCount, page.PageCount = &many, nil
			}
			return nil
		}, 20_000},
		"has_next for ever, and the last page again and again": {
			func(int) time.Duration { return 0 }, false,
			func(q jushuitan.SalesOutQuery, page *jushuitan.Page) error {
				if len(page.Rows) == 0 && q.PageIndex == 1 {
					return nil
				}
				page.DataCount, page.PageCount, page.HasNext = nil, nil, &yes
				if len(page.Rows) == 0 && q.PageIndex > 1 {
					for i := 190; i < 200; i++ {
						page.Rows = append(page.Rows, []byte(shelfRow{id: i, modified: noon}.text()))
					}
				}
				return nil
			}, 400,
		},
		"every second call fails": {nil, false, func(q jushuitan.SalesOutQuery, _ *jushuitan.Page) error {
			key := fmt.Sprint(q.Begin, q.End, q.PageIndex)
			if trouble[key]++; trouble[key] == 1 {
				return &jushuitan.Error{Kind: jushuitan.Cut}
			}
			return nil
		}, 100},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{counts: true, hasNext: false, byNumber: c.byNumber}
			at := c.rows
			if at == nil {
				at = func(i int) time.Duration { return time.Duration(200-i) * time.Second }
			}
			s.fill(200, at)
			seen, err := readAll(t.Context(), newReader(contrary{s, c.change}, 10), Window{Begin: noon, End: noon.Add(300 * time.Second)})
			if err != nil || len(seen) != 200 || s.calls > c.calls {
				t.Errorf("read %d of 200 rows in %d calls, want at most %d: %v", len(seen), s.calls, c.calls, err)
			}
		})
	}
}

// An ERP that counts rows which it never shows must not stop the lane at their second; one that shows nothing for a moment must not be
// believed.
func TestReaderPassesRowsThatAreCountedAndHidden(t *testing.T) {
	t.Parallel()
	s := &shelf{counts: true}
	s.fill(30, func(i int) time.Duration { return time.Duration(60+i*10) * time.Second })
	hidden := noon.Add(5 * time.Second)
	erp := contrary{s, func(q jushuitan.SalesOutQuery, page *jushuitan.Page) error {
		if !hidden.Before(q.Begin.Time) && !hidden.After(q.End.Time) {
			*page.DataCount++
			*page.PageCount = max(*page.PageCount, 1)
		}
		return nil
	}}
	r := newReader(erp, 10)
	seen, hollow := map[string]bool{}, 0
	for begin, end := noon, noon.Add(10*time.Minute); begin.Before(end); {
		rows, read, err := r.read(t.Context(), Window{Begin: begin, End: end}.first(30*time.Second))
		if errors.Is(err, ErrHollow) {
			if hollow++; hollow > 20 {
				t.Fatal("it never passes")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			seen[row.Key] = true
		}
		begin = read.End
	}
	if len(seen) != 30 || hollow < maxHollows-1 {
		t.Errorf("read %d of 30 rows, asked again %d times", len(seen), hollow)
	}
}
