package sink

import (
	"context"
	"sync/atomic"

	"juliu/pkg/record"
)

// noopBatch is as much as the loader likes to give.
const noopBatch = 1000

// Noop is the no-op write (写入空操作): it counts records and keeps nothing. It shows the whole way from the ERP to a sink before a
// merchant has decided on one. It is safe for concurrent use; the zero Noop is ready.
type Noop struct{ written atomic.Uint64 }

// Write counts the batch. It fails only when ctx has ended.
func (n *Noop) Write(ctx context.Context, batch []record.Record) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the contract of a sink
	}
	n.written.Add(uint64(len(batch)))
	return nil
}

// Written is how many records were written, repetitions counted.
func (n *Noop) Written() uint64 { return n.written.Load() }

// BatchSize is 1000.
func (*Noop) BatchSize() int { return noopBatch }

// Close does nothing.
func (*Noop) Close(context.Context) error { return nil }
