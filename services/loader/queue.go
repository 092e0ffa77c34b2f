package loader

import (
	"cmp"
	"context"
	"slices"
	"time"

	"juliu/pkg/stream"
)

// first waits for a delivery.
func (w *worker) first(work context.Context) (stream.Delivery, bool) {
	if w.next != nil {
		d := *w.next
		w.next = nil
		return d, true
	}
	return w.take(work, nil)
}

// take waits for a delivery until work ends, late fires, or nothing more comes.
func (w *worker) take(work context.Context, late <-chan time.Time) (stream.Delivery, bool) {
	select {
	case d := <-w.queue:
		return d, true
	case <-work.Done():
	case <-late:
	case <-w.drained:
		return w.queued()
	}
	return stream.Delivery{}, false
}

// queued is the next delivery if there is one.
func (w *worker) queued() (stream.Delivery, bool) {
	select {
	case d := <-w.queue:
		return d, true
	default:
		return stream.Delivery{}, false
	}
}

// batchBytes bounds the rows of one batch, which are decoded together, so that large orders do not fill the memory; one may be larger.
const batchBytes = 8 << 20

// batch adds to first what is queued, and what comes while the sink likes to wait, as much as it takes, and puts it into the stream's
// order.
func (w *worker) batch(work context.Context, first stream.Delivery) []stream.Delivery {
	batch, want, size := []stream.Delivery{first}, w.deps.Sink.Batch(), first.Size
	late := time.NewTimer(want.Wait)
	defer late.Stop()
	for alone := w.suspects.alone(first); !alone && len(batch) < want.Records; {
		d, ok := w.queued()
		if !ok && want.Wait > 0 {
			d, ok = w.take(work, late.C)
		}
		if !ok {
			break
		}
		if size += d.Size; size > batchBytes || w.suspects.alone(d) {
			w.next = &d
			break
		}
		batch = append(batch, d)
	}
	slices.SortStableFunc(batch, func(a, b stream.Delivery) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return batch
}
