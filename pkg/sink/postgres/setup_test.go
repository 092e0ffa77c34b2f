package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"juliu/pkg/record"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/sinktest"
)

// canaries are what no error may show.
func canaries() []string {
	return []string{password, "王小明", "13812345678", "北京路1号"}
}

// personal are members of a row that hold them.
const personal = `,"receiver_name":"王小明","receiver_mobile":"13812345678","receiver_address":"北京路1号"`

// checkText fails when an error shows what it must not.
func checkText(t *testing.T, err error) {
	t.Helper()
	for _, canary := range canaries() {
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("an error shows %s", canary)
		}
	}
}

// order is a record of a key: its ts-th version at a place on the stream, with more members, each with a comma before it.
func order(tb testing.TB, key, ts int64, sequence uint64, more ...string) record.Record {
	tb.Helper()
	row := fmt.Sprintf(`{"io_id":%d,"shop_id":1,"ts":%d,"modified":"2026-02-01 00:00:00"%s%s}`, key, ts, personal, strings.Join(more, ""))
	return decode(tb, row, sequence)
}

func decode(tb testing.TB, row string, sequence uint64) record.Record {
	tb.Helper()
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	r, err := record.SalesOut().Decode("main", []byte(row), at)
	if err != nil {
		tb.Fatal(err)
	}
	r.Sequence, r.Published = sequence, at
	return r
}

// write writes or ends the test.
func write(tb testing.TB, s *postgres.Sink, batch ...record.Record) {
	tb.Helper()
	if err := s.Write(tb.Context(), batch); err != nil {
		tb.Fatal(err)
	}
}

// stored reads the table of orders; the payload comes from the bytes.
func stored(t *testing.T, url string) []sinktest.Stored {
	t.Helper()
	rows, err := connect(t, url).Query(t.Context(), "SELECT source, io_id::text, sequence, raw FROM juliu.sales_out_order")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (sinktest.Stored, error) {
		var (
			s        = sinktest.Stored{Resource: record.SalesOut().Resource}
			raw      []byte
			sequence int64
		)
		if err := row.Scan(&s.Source, &s.Key, &sequence, &raw); err != nil {
			return s, err
		}
		r, err := record.SalesOut().Decode(s.Source, raw, time.Time{})
		s.Sequence, s.Payload = uint64(sequence), r.Payload
		return s, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
