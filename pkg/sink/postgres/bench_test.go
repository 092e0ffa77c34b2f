package postgres_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"juliu/pkg/record"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/postgres/postgrestest"
)

// BenchmarkWrite writes realistic orders of three lines in batches of several sizes, on one connection, and reports records a second:
//
//	copy   the bar: the same rows, encoded beforehand, by COPY into tables without a key, one transaction a batch
//	new    Write of orders that are not stored
//	newer  Write of a newer version of each
//
// The three take turns, so that whatever else the machine does slows all alike.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{1, 10, 100, 250, 500, 1000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			s, url := database(b)
			pool := plainTables(b, url)
			var took [3]time.Duration
			for n := 0; b.Loop(); n++ {
				batch := realistic(b, size, n*size)
				tables, err := postgres.Tables(batch)
				if err != nil {
					b.Fatal(err)
				}
				newer := realistic(b, size, n*size)
				for i := range newer {
					newer[i].Sequence++
				}
				for i, run := range []func(){
					func() { copyRows(b, pool, tables) },
					func() { write(b, s, batch...) },
					func() { write(b, s, newer...) },
				} {
					began := time.Now()
					run()
					took[i] += time.Since(began)
				}
			}
			for i, name := range []string{"copy/s", "new/s", "newer/s"} {
				b.ReportMetric(float64(b.N*size)/took[i].Seconds(), name)
			}
			b.ReportMetric(100*took[0].Seconds()/took[1].Seconds(), "%new/copy")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// realistic is the same order under many keys.
func realistic(b *testing.B, size, from int) []record.Record {
	b.Helper()
	text, err := os.ReadFile(root + "/pkg/record/testdata/realistic.json")
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]record.Record, size)
	for i := range batch {
		key := from + i + 1
		batch[i] = decode(b, strings.Replace(string(text), `"io_id":20117733`, `"io_id":`+strconv.Itoa(key), 1), uint64(key)*2)
	}
	return batch
}

// plainTables adds tables without a key to the database.
func plainTables(b *testing.B, url string) *pgxpool.Pool {
	b.Helper()
	tables, err := postgres.Tables(nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range tables {
		postgrestest.Execute(b, url, "CREATE TABLE public."+t.Name+" (LIKE juliu."+t.Name+")")
	}
	return connect(b, url)
}

func copyRows(b *testing.B, pool *pgxpool.Pool, tables []postgres.Table) {
	b.Helper()
	err := pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error {
		for _, t := range tables {
			if len(t.Rows) == 0 {
				continue
			}
			if _, err := tx.CopyFrom(b.Context(), pgx.Identifier{"public", t.Name}, t.Columns, pgx.CopyFromRows(t.Rows)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
