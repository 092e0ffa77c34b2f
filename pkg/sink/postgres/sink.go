// Package postgres is the sink PostgreSQL: one row for each order with the vendor's fields as typed columns and the bytes as received,
// its lines, batches and serial numbers in tables of their own. pgx and goose live here.
//
// A second resource is one migration and one function like salesOut.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink"
)

const (
	// batchSize is where more rows in a transaction gain nothing; see BenchmarkWrite.
	batchSize = 500
	batchWait = 20 * time.Millisecond
	// writeTimeout ends a Write that hears nothing from the server, longer than the server's own limits in begin.
	writeTimeout = 2 * time.Minute
)

// Config is where the database is.
type Config struct {
	// URL is postgres://user:password@host:port/database, with libpq's parameters, e.g. sslmode=verify-full.
	URL secret.Text
	// Connections is the most that are open at once, at least 1: the loader's workers.
	Connections int
}

// Sink writes records into the tables of the schema juliu. Of each source and key it keeps the newest version, whatever the order in
// which versions come and however many loaders write. A nil from Write means that a transaction with the records was committed.
//
// It is safe for concurrent use.
type Sink struct {
	pool *pgxpool.Pool
	// address is host and port, for errors.
	address string
	tables  map[string]table
	closed  atomic.Bool
}

// Write stores the batch: one transaction for each resource, or several when a record must be found that the database refuses. Such a
// record is ErrRejected with its SQLSTATE, without values; an outage is an *UnavailableError. It ends after two minutes without an answer.
func (s *Sink) Write(ctx context.Context, batch []record.Record) error {
	return s.write(ctx, batch, func(t table) table { return t })
}

// Force is Write that also writes rows anew whose version and place on the stream are those of the stored row: after a change by hand, say.
func (s *Sink) Force(ctx context.Context, batch []record.Record) error {
	return s.write(ctx, batch, func(t table) table {
		t.upsert = t.force
		return t
	})
}

func (s *Sink) write(ctx context.Context, batch []record.Record, as func(table) table) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write to PostgreSQL: %w", err)
	}
	failed := map[int]error{}
	rows := s.encode(batch, failed)
	within, cancel := context.WithTimeoutCause(ctx, writeTimeout, errNoAnswer)
	defer cancel()
	var down error
	for _, resource := range slices.Sorted(maps.Keys(rows)) {
		if down == nil {
			down = s.isolate(within, as(s.tables[resource]), rows[resource], failed)
			if sqlState(down) == readOnly {
				s.pool.Reset() // of several servers the next connection may find the primary
			}
			continue
		}
		for _, r := range rows[resource] {
			failed[r.index] = s.instruct(within, down)
		}
	}
	return verdict(failed, len(batch))
}

// encode makes the rows of each resource, ordered by key, so that two loaders lock the keys they share in the same order, and names
// those records that no table takes.
func (s *Sink) encode(batch []record.Record, failed map[int]error) map[string][]row {
	rows := map[string][]row{}
	for i, r := range batch {
		t, ok := s.tables[r.Resource]
		if !ok {
			failed[i] = fmt.Errorf("%w: there is no table for %s records; upgrade this program and replay", sink.ErrRejected, r.Resource)
			continue
		}
		encoded, err := t.encode(i, r)
		if err != nil {
			failed[i] = err
			continue
		}
		rows[r.Resource] = append(rows[r.Resource], encoded)
	}
	for _, of := range rows {
		slices.SortStableFunc(of, func(a, b row) int { return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.key, b.key)) })
	}
	return rows
}

// verdict is the error of Write: of the whole batch when all of it failed for one cause.
func verdict(failed map[int]error, size int) error {
	causes := slices.Collect(maps.Values(failed))
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) == size && !slices.ContainsFunc(causes, func(err error) bool { return !errors.Is(err, causes[0]) }):
		return causes[0]
	}
	return &sink.BatchError{Failed: failed}
}

// Batch is up to 500 records, and waits a little: a transaction of one row costs as much as one of fifty.
func (*Sink) Batch() sink.Batch { return sink.Batch{Records: batchSize, Wait: batchWait} }

// Close closes the connections when the last Write has returned.
func (s *Sink) Close(context.Context) error {
	s.closed.Store(true)
	s.pool.Close()
	return nil
}

// tables maps each resource to its tables. A second resource is one row here.
func tables() map[string]table {
	all := map[string]table{}
	for _, t := range []table{salesOut()} {
		all[t.resource.Resource] = t
	}
	return all
}
