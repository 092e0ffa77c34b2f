package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	// begin opens every transaction, whatever the isolation that the server defaults to. A table that somebody locks (ALTER TABLE)
	// makes the sink unavailable; it does not hold the loader for ever.
	begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '100s'"
	// conflictTries is how often a transaction is tried that another one made fail.
	conflictTries = 3
)

// errSkipped means that a trigger kept rows out of the table that COPY wrote to; their lists must stay out too.
var errSkipped = errors.New("a trigger skipped rows")

// duplicateKey is SQLSTATE unique_violation.
const duplicateKey = "23505"

// beyondCopy are the SQLSTATEs that COPY may end with where upsert does not: unique_violation, and feature_not_supported, as of a table
// with row-level security.
func beyondCopy() []string { return []string{duplicateKey, "0A000"} }

// isolate stores rows of a table, ordered by key, and names those in failed that could not be stored. A batch that fails for what one of
// its rows holds is cut at that row, or in halves when the server does not tell which it is; what is stored is not written again. Its
// error ends the whole Write: the sink, not a row.
func (s *Sink) isolate(ctx context.Context, t table, rows []row, failed map[int]error) error {
	if len(rows) == 0 {
		return nil
	}
	err := s.store(ctx, t, newest(rows))
	if isPoison(err) && len(rows) > 1 {
		before, after := rows[:len(rows)/2], rows[len(rows)/2:]
		if at := culprit(err, rows); at >= 0 {
			failed[rows[at].index] = s.instruct(ctx, err)
			before, after = rows[:at], rows[at+1:]
		}
		if err = s.isolate(ctx, t, before, failed); err == nil {
			return s.isolate(ctx, t, after, failed)
		}
		rows = after // before has named its own
	}
	if err == nil {
		return nil
	}
	cause := s.instruct(ctx, err)
	for _, r := range rows {
		failed[r.index] = cause
	}
	if isPoison(err) {
		return nil
	}
	return err
}

// newest leaves out the rows of which a newer version is among them.
func newest(rows []row) []row {
	best := make([]row, 0, len(rows))
	for _, r := range rows {
		last := len(best) - 1
		switch {
		case last < 0 || best[last].identity != r.identity:
			best = append(best, r)
		case r.newer(best[last]):
			best[last] = r
		}
	}
	return best
}

// store writes rows of different keys, ordered by key, in one transaction. Most are new, and those go in by COPY, which is twice as fast
// as INSERT but stops at a key that is there: when another loader has just stored one, or somebody deleted an order by hand and left
// its lists, all is done again the slow way. So it is for tables that somebody changed in a way that COPY does not bear.
func (s *Sink) store(ctx context.Context, t table, rows []row) error {
	var (
		err     error
		careful bool
	)
	for range conflictTries {
		err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
			if careful {
				return replace(ctx, tx, t, rows)
			}
			fresh, old, err := part(ctx, tx, t, rows)
			if err != nil {
				return err
			}
			if err := add(ctx, tx, t, fresh); err != nil {
				return err
			}
			return replace(ctx, tx, t, old)
		})
		switch {
		case isConflict(err):
		case !careful && (errors.Is(err, errSkipped) || slices.Contains(beyondCopy(), sqlState(err))):
			careful = true
		default:
			return err //nolint:wrapcheck // instruct words it
		}
	}
	return err //nolint:wrapcheck // instruct words it
}

// part parts the rows whose key is not stored from those whose key is.
func part(ctx context.Context, tx pgx.Tx, t table, rows []row) ([]row, []row, error) {
	sources, keys := make([]string, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		sources[i], keys[i] = r.source, r.key
	}
	stored, err := identities(ctx, tx, t.find, sources, keys)
	if err != nil {
		return nil, nil, err
	}
	fresh, old := split(rows, stored)
	return fresh, old, nil
}

// add writes rows whose keys are not stored, with their lists.
func add(ctx context.Context, tx pgx.Tx, t table, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	copied, err := tx.CopyFrom(ctx, pgx.Identifier{schema, t.name}, t.header, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		return rows[i].values, nil
	}))
	switch {
	case err != nil:
		return atLine(err, rows)
	case copied != int64(len(rows)):
		return errSkipped
	}
	return addChildren(ctx, tx, t, rows)
}

// replace writes the rows that are newer than the stored ones, and their lists in the place of those that are there.
func replace(ctx context.Context, tx pgx.Tx, t table, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	arrays := make([]any, len(rows[0].values))
	for i := range arrays {
		values := make(pgtype.FlatArray[any], len(rows))
		for j, r := range rows {
			values[j] = r.values[i]
			if surprises, ok := values[j].([]string); ok {
				values[j] = strings.Join(surprises, " ") // as upsert takes them
			}
		}
		arrays[i] = values
	}
	written, err := identities(ctx, tx, t.upsert, arrays...)
	if err != nil {
		return atSequence(err, rows)
	}
	_, won := split(rows, written)
	if err := removeChildren(ctx, tx, t, won); err != nil {
		return err
	}
	return addChildren(ctx, tx, t, won)
}

// identities is the set that a query returns.
func identities(ctx context.Context, tx pgx.Tx, sql string, args ...any) (map[identity]bool, error) {
	answer, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err //nolint:wrapcheck // instruct words it
	}
	var id identity
	set := map[identity]bool{}
	_, err = pgx.ForEachRow(answer, []any{&id.source, &id.key}, func() error { set[id] = true; return nil })
	return set, err //nolint:wrapcheck // instruct words it
}

// split parts the rows that are not in the set from those that are.
func split(rows []row, set map[identity]bool) ([]row, []row) {
	var without, within []row
	for _, r := range rows {
		if set[r.identity] {
			within = append(within, r)
		} else {
			without = append(without, r)
		}
	}
	return without, within
}

// addChildren writes the lists of the rows.
func addChildren(ctx context.Context, tx pgx.Tx, t table, written []row) error {
	for i, c := range t.children {
		var (
			values [][]any
			owners []row
		)
		for _, r := range written {
			values = append(values, r.lists[i]...)
			owners = append(owners, slices.Repeat([]row{r}, len(r.lists[i]))...)
		}
		if len(values) == 0 {
			continue
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{schema, c.name}, c.header, pgx.CopyFromRows(values)); err != nil {
			return atLine(err, owners)
		}
	}
	return nil
}

// removeChildren deletes the lists that the tables hold for the rows.
func removeChildren(ctx context.Context, tx pgx.Tx, t table, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	keys := map[string][]int64{}
	for _, r := range rows {
		keys[r.source] = append(keys[r.source], r.key)
	}
	var batch pgx.Batch
	for source, keys := range keys {
		for _, c := range t.children {
			batch.Queue(c.remove, source, keys)
		}
	}
	return tx.SendBatch(ctx, &batch).Close() //nolint:wrapcheck // instruct words it
}

func sqlState(err error) string {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal.Code
	}
	return ""
}
