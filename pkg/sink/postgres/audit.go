package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"juliu/pkg/audit"
	"juliu/pkg/record"
)

const (
	// look opens a transaction that sees one moment.
	look = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '100s'"
	// lookSize is how many rows an audit takes at once.
	lookSize = 500
)

// lines are the queries of an audit, for one table.
type lines struct {
	table

	sink *Sink
}

func (s *Sink) lines(resource string) (lines, error) {
	t, ok := s.tables[resource]
	if !ok {
		return lines{}, fmt.Errorf("audit PostgreSQL: there is no table for %s records; upgrade this program", resource)
	}
	return lines{table: t, sink: s}, nil
}

// Rows hands over the rows of a period, see audit.Table.
func (s *Sink) Rows(ctx context.Context, p audit.Period, fn func(audit.Row) error) error {
	l, err := s.lines(p.Resource)
	if err != nil {
		return err
	}
	where := fmt.Sprintf("source = $1 AND %s > $2 AND %s >= $3 AND %s < $4", quote(l.resource.Key), quote(l.resource.Modified), quote(l.resource.Modified))
	args := []any{p.Source, int64(0), p.From, p.To}
	if p.Shop != "" {
		shop, err := strconv.ParseInt(p.Shop, 10, 64)
		if err != nil {
			return fmt.Errorf("audit PostgreSQL: shop: %w", err)
		}
		where, args = where+" AND coalesce("+quote(l.resource.Shop)+", 0) = $5", append(args, shop)
	}
	for {
		rows, last, err := l.page(ctx, p.Source, where, args)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
		if len(rows) < lookSize {
			return nil
		}
		args[1] = last
	}
}

// Find hands over the rows of keys, see audit.Table.
func (s *Sink) Find(ctx context.Context, resource, source string, keys []string, fn func(audit.Row) error) error {
	l, err := s.lines(resource)
	if err != nil {
		return err
	}
	for begin := 0; begin < len(keys); begin += lookSize {
		numbers := make([]int64, 0, lookSize)
		for _, key := range keys[begin:min(begin+lookSize, len(keys))] {
			if n, err := strconv.ParseInt(key, 10, 64); err == nil {
				numbers = append(numbers, n)
			}
		}
		rows, _, err := l.page(ctx, source, fmt.Sprintf("source = $1 AND %s = ANY ($2)", quote(l.resource.Key)), []any{source, numbers})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// page reads up to lookSize rows by key, checks them, and returns the last key.
func (l lines) page(ctx context.Context, source, where string, args []any) ([]audit.Row, int64, error) {
	within, cancel := context.WithTimeoutCause(ctx, writeTimeout, errNoAnswer)
	defer cancel()
	var (
		rows []audit.Row
		last int64
	)
	err := pgx.BeginTxFunc(within, l.sink.pool, pgx.TxOptions{BeginQuery: look}, func(tx pgx.Tx) error {
		var whole []row
		var err error
		if rows, whole, last, err = l.take(within, tx, source, where, args); err != nil {
			return err
		}
		differing, err := l.differing(within, tx, source, whole)
		for i := range rows {
			rows[i].Broken = rows[i].Broken || differing[rows[i].Key]
		}
		return err
	})
	if err != nil {
		return nil, 0, l.sink.instruct(within, err)
	}
	return rows, last, nil
}

// take reads rows. whole are, of those whose bytes are what their hash says, the values that their columns should have.
func (l lines) take(ctx context.Context, tx pgx.Tx, source, where string, args []any) ([]audit.Row, []row, int64, error) {
	answer, err := tx.Query(ctx, fmt.Sprintf("SELECT %s, coalesce(%s, 0), coalesce(%s, 0), %s, sequence, content_hash, raw, xmin::text FROM %s WHERE %s ORDER BY 1 LIMIT %d",
		quote(l.resource.Key), quote(l.resource.Shop), quote(l.resource.TS), quote(l.resource.Modified), quote(schema, l.name), where, lookSize), args...)
	if err != nil {
		return nil, nil, 0, err //nolint:wrapcheck // instruct words it
	}
	var (
		rows                    []audit.Row
		whole                   []row
		key, shop, ts, sequence int64
		modified                *time.Time
		hash, raw               []byte
		written                 string
	)
	_, err = pgx.ForEachRow(answer, []any{&key, &shop, &ts, &modified, &sequence, &hash, &raw, &written}, func() error {
		r := audit.Row{Written: written, Entry: audit.Entry{
			Key: strconv.FormatInt(key, 10), Shop: strconv.FormatInt(shop, 10), Version: record.Version{TS: ts}, Sequence: uint64(sequence), //nolint:gosec // a stream counts from 1
		}}
		if modified != nil {
			r.Version.Modified = modified.UTC()
		}
		decoded, err := l.resource.Decode(source, raw, time.Time{})
		if r.Broken = err != nil || decoded.Key != r.Key || string(decoded.Hash[:]) != string(hash); !r.Broken {
			r.Mark = audit.MarkOf(decoded.Hash)
			var should row
			if should, err = l.encode(len(rows), decoded); err == nil {
				whole = append(whole, should)
			}
			r.Broken = err != nil
		}
		rows = append(rows, r)
		return nil
	})
	return rows, whole, key, err //nolint:wrapcheck // instruct words it
}

// differing are the keys of rows whose columns, or the rows of whose lists, are not those that their bytes say. The database compares, so that
// equal means what it means there.
func (l lines) differing(ctx context.Context, tx pgx.Tx, source string, rows []row) (map[string]bool, error) {
	differing := map[string]bool{}
	if len(rows) == 0 {
		return differing, nil
	}
	keys := make([]int64, len(rows))
	values := make([][]any, len(rows))
	for i, r := range rows {
		keys[i], values[i] = r.key, append([]any{r.source}, r.values[len(common()):]...)
	}
	if err := l.compare(ctx, tx, l.name, append([]column{{name: "source", sqlType: typeText}}, l.columns...), values, source, keys, differing); err != nil {
		return nil, err
	}
	for i, c := range l.children {
		var lists [][]any
		for _, r := range rows {
			lists = append(lists, r.lists[i]...)
		}
		columns := append([]column{{name: "source", sqlType: typeText}, {name: l.resource.Key, sqlType: "bigint"}, {name: "position", sqlType: "bigint"}}, c.columns...)
		if err := l.compare(ctx, tx, c.name, columns, lists, source, keys, differing); err != nil {
			return nil, err
		}
	}
	return differing, nil
}

// compare adds the keys of which a table holds other rows than the values.
func (l lines) compare(
	ctx context.Context, tx pgx.Tx, name string, columns []column, values [][]any, source string, keys []int64, differing map[string]bool,
) error {
	names, arrays := make([]string, len(columns)), make([]string, len(columns))
	args := []any{source, keys}
	for i, c := range columns {
		names[i], arrays[i] = quote(c.name), fmt.Sprintf("$%d::%s[]", len(args)+1, c.sqlType)
		array := make(pgtype.FlatArray[any], len(values))
		for j := range values {
			array[j] = values[j][i]
		}
		args = append(args, array)
	}
	list, key := strings.Join(names, ", "), quote(l.resource.Key)
	answer, err := tx.Query(ctx, fmt.Sprintf(`WITH given AS (SELECT %[2]s FROM unnest(%[1]s) AS given (%[2]s)),
stored AS (SELECT %[2]s FROM %[3]s WHERE source = $1 AND %[4]s = ANY ($2))
SELECT DISTINCT %[4]s FROM ((TABLE given EXCEPT ALL TABLE stored) UNION ALL (TABLE stored EXCEPT ALL TABLE given)) AS differing`,
		strings.Join(arrays, ", "), list, quote(schema, name), key), args...)
	if err != nil {
		return err //nolint:wrapcheck // instruct words it
	}
	var number int64
	_, err = pgx.ForEachRow(answer, []any{&number}, func() error {
		differing[strconv.FormatInt(number, 10)] = true
		return nil
	})
	return err //nolint:wrapcheck // instruct words it
}
