package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"juliu/pkg/audit"
	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// Replace stores records in the place of rows, see audit.Table. The version guard would refuse an equal version, and cannot be trusted where the
// row itself is wrong: so the row is deleted and written anew in one transaction, unless somebody wrote it since it was read.
func (s *Sink) Replace(ctx context.Context, fixes []audit.Fix) ([]string, error) {
	var keys []string
	for batch := range slices.Chunk(fixes, batchSize) {
		stored, err := s.replaceParts(ctx, batch)
		keys = append(keys, stored...)
		if err != nil {
			return keys, err
		}
	}
	return keys, nil
}

// replaceParts replaces each half by itself where the whole is rejected, down to the record that the database will not take.
func (s *Sink) replaceParts(ctx context.Context, fixes []audit.Fix) ([]string, error) {
	keys, err := s.replaceBatch(ctx, fixes)
	switch {
	case !errors.Is(err, sink.ErrRejected):
		return keys, err
	case len(fixes) == 1:
		return nil, nil
	}
	half := len(fixes) / 2
	keys, err = s.replaceParts(ctx, fixes[:half])
	if err != nil {
		return keys, err
	}
	more, err := s.replaceParts(ctx, fixes[half:])
	return append(keys, more...), err
}

func (s *Sink) replaceBatch(ctx context.Context, fixes []audit.Fix) ([]string, error) {
	within, cancel := context.WithTimeoutCause(ctx, writeTimeout, errNoAnswer)
	defer cancel()
	records, written := make([]record.Record, len(fixes)), map[identity]string{}
	for i, f := range fixes {
		records[i] = f.Record
	}
	failed := map[int]error{}
	rows := s.encode(records, failed)
	for _, err := range failed {
		return nil, err
	}
	for resource, of := range rows {
		for _, r := range of {
			written[r.identity] = fixes[r.index].Written
		}
		slices.SortFunc(of, func(a, b row) int { return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.key, b.key)) })
		rows[resource] = of
	}
	var keys []string
	var err error
	for range conflictTries {
		keys = nil
		err = pgx.BeginTxFunc(within, s.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
			for resource, of := range rows {
				more, err := swap(within, tx, s.tables[resource], of, written)
				if err != nil {
					return err
				}
				keys = append(keys, more...)
			}
			return nil
		})
		if !isConflict(err) && sqlState(err) != duplicateKey {
			break
		}
	}
	if err != nil {
		return nil, s.instruct(within, err)
	}
	return keys, nil
}

// swap deletes the rows that are still as they were read and writes the given ones in their place.
func swap(ctx context.Context, tx pgx.Tx, t table, rows []row, written map[identity]string) ([]string, error) {
	sources, numbers := make([]string, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		sources[i], numbers[i] = r.source, r.key
	}
	given := fmt.Sprintf("%s AS stored JOIN unnest($1::text[], $2::bigint[]) AS given (source, %s) USING (source, %[2]s)", quote(schema, t.name), quote(t.resource.Key))
	answer, err := tx.Query(ctx, fmt.Sprintf("SELECT source, %s, stored.xmin::text FROM %s ORDER BY 1, 2 FOR UPDATE OF stored", quote(t.resource.Key), given), sources, numbers)
	if err != nil {
		return nil, err //nolint:wrapcheck // instruct words it
	}
	var (
		id   identity
		mark string
		keys []string
	)
	now := map[identity]string{}
	if _, err := pgx.ForEachRow(answer, []any{&id.source, &id.key, &mark}, func() error { now[id] = mark; return nil }); err != nil {
		return nil, err //nolint:wrapcheck // instruct words it
	}
	rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return now[r.identity] != written[r.identity] })
	if len(rows) == 0 {
		return nil, nil
	}
	for i, r := range rows {
		sources[i], numbers[i] = r.source, r.key
		keys = append(keys, strconv.FormatInt(r.key, 10))
	}
	_, err = tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s AS stored USING unnest($1::text[], $2::bigint[]) AS given (source, %[2]s) WHERE stored.source = given.source AND stored.%[2]s = given.%[2]s",
		quote(schema, t.name), quote(t.resource.Key)), sources[:len(rows)], numbers[:len(rows)])
	if err == nil {
		err = removeChildren(ctx, tx, t, rows)
	}
	if err == nil {
		err = add(ctx, tx, t, rows)
	}
	return keys, err
}
