package sink

import (
	"context"
	"sync/atomic"

	"juliu/pkg/record"
)

// noopBatch is as much as the loader likes to give.
const noopBatch = 1000

// Noop is the no-op write (写入空操作): it takes every record and keeps none. It shows the whole way from the ERP to a sink before a
// merchant has decided on one. It is safe for concurrent use; the zero Noop is ready.
type Noop struct{ closed atomic.Bool }

// Write drops the batch. It fails only when ctx has ended or the sink is closed.
func (s *Noop) Write(ctx context.Context, _ []record.Record) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the contract of a sink
	}
	if s.closed.Load() {
		return ErrClosed
	}
	return nil
}

// Batch is up to 1000 records, unread, without waiting.
func (*Noop) Batch() Batch { return Batch{Records: noopBatch, Unread: true} }

// Close ends the writing.
func (s *Noop) Close(context.Context) error {
	s.closed.Store(true)
	return nil
}
