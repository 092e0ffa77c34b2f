package extractor

import (
	"context"
	"errors"
	"time"
)

// edges is which of the seconds at its ends the ERP's query includes; the vendor does not say.
type edges struct{ begin, end bool }

// bounds are the modification times that the ERP counts when it is asked for a window, which it is from an edge before its begin.
func (e edges) bounds(w Window) (time.Time, time.Time) {
	from, to := w.Begin.Add(-edge), w.End
	if !e.begin {
		from = from.Add(1)
	}
	if e.end {
		to = to.Add(1)
	}
	return from, to
}

// maxProbes is on how many orders it is tried to learn the edges: one may be modified just then.
const maxProbes = 3

// probe learns the edges from an order that is stored and, in the same way, by asking for windows that begin and end at the second in which it
// was modified. It answers nil when no order tells.
func (x *examination) probe(ctx context.Context, within Window) (*edges, error) {
	for _, at := range x.writer.moments(within, maxProbes) {
		if x.writer.count(at.Add(-3*time.Second), at.Add(4*time.Second)) >= x.reader.size {
			continue // it might stand on a second page
		}
		shown := func(from, to time.Duration) (bool, error) {
			_, rows, err := x.reader.page(ctx, Ask{Window: Window{Begin: at.Add(from + edge), End: at.Add(to)}, Page: 1})
			if errors.Is(err, ErrHollow) {
				return false, nil
			}
			for _, row := range rows {
				if row.err == nil && row.Version.Modified.Equal(at) {
					return true, err
				}
			}
			return false, err
		}
		begin, err := shown(0, 2*time.Second)
		if err != nil {
			return nil, err
		}
		end, err := shown(-2*time.Second, 0)
		if err != nil {
			return nil, err
		}
		if begin || end {
			return &edges{begin, end}, nil
		}
		amid, err := shown(-time.Second, time.Second)
		if err != nil {
			return nil, err
		}
		if amid {
			return &edges{}, nil
		}
	}
	return nil, nil //nolint:nilnil // not known is an answer
}
