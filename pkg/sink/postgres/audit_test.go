package postgres_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/audit"
	"juliu/pkg/record"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/postgres/postgrestest"
)

// period is all rows that order makes.
func period() audit.Period {
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	return audit.Period{Resource: "sales-out", Source: "main", From: at, To: at.Add(time.Second)}
}

// look reads the rows of a period.
func look(tb testing.TB, s *postgres.Sink, p audit.Period) map[string]audit.Row {
	tb.Helper()
	rows := map[string]audit.Row{}
	if err := s.Rows(tb.Context(), p, func(r audit.Row) error {
		rows[r.Key] = r
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return rows
}

// broken are the keys of rows that contradict themselves.
func broken(rows map[string]audit.Row) []string {
	var keys []string
	for key, row := range rows {
		if row.Broken {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// full is a record with something in every kind of column and list.
func full(tb testing.TB, key int64, sequence uint64) record.Record {
	tb.Helper()
	return order(tb, key, key, sequence, items(3), `,"pay_amount":"12.50","is_cod":true,"remark":"a`+"\\u0000"+`b","created":"2026-01-31 23:00:00",`+
		`"weight":"1e3","labels":"x","batchs":[{"batch_no":"b1","qty":2}],"sns":[{"sku_id":"s","sn":"n1"}]`)
}

func TestAnAuditReadsBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	s, _ := database(t)
	var batch []record.Record
	for i := range int64(1203) { // several pages
		batch = append(batch, full(t, i+1, uint64(i+1)))
	}
	for part := range slices.Chunk(batch, 500) {
		write(t, s, part...)
	}
	rows := look(t, s, period())
	for _, r := range batch {
		if diff := cmp.Diff(audit.EntryOf(r), rows[r.Key].Entry); diff != "" {
			t.Fatalf("- want, + got:\n%s", diff)
		}
	}
	for name, p := range map[string]func(*audit.Period){
		"another source": func(p *audit.Period) { p.Source = "second" },
		"another shop":   func(p *audit.Period) { p.Shop = "2" },
		"before":         func(p *audit.Period) { p.To = p.From },
		"after":          func(p *audit.Period) { p.From = p.To },
	} {
		other := period()
		if p(&other); len(look(t, s, other)) > 0 {
			t.Errorf("%s has rows", name)
		}
	}
	one := period()
	if one.Shop = "1"; len(look(t, s, one)) != len(batch) || len(rows) != len(batch) {
		t.Errorf("%d rows of the shop and %d of all, want %d", len(look(t, s, one)), len(rows), len(batch))
	}
	found := map[string]audit.Row{}
	if err := s.Find(t.Context(), "sales-out", "main", []string{"7", "1203", "99999", "x"}, func(r audit.Row) error {
		found[r.Key] = r
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]audit.Row{"7": rows["7"], "1203": rows["1203"]}, found); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

// Whatever is changed by hand is seen, and a replacement cures it; the other rows stay as they are.
func TestAnAuditSeesAndCuresDamage(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	damages := []string{
		"UPDATE juliu.sales_out_order SET pay_amount = 12.51", "UPDATE juliu.sales_out_order SET remark = NULL", "UPDATE juliu.sales_out_order SET is_cod = false",
		"UPDATE juliu.sales_out_order SET created = created + interval '1 microsecond'", "UPDATE juliu.sales_out_order SET ts = ts + 1000000",
		"UPDATE juliu.sales_out_order SET raw = raw || ' x'", "UPDATE juliu.sales_out_order SET raw = ''", "UPDATE juliu.sales_out_order SET content_hash = ''",
		"UPDATE juliu.sales_out_item SET qty = 17", "DELETE FROM juliu.sales_out_item", "UPDATE juliu.sales_out_item SET position = position + 100",
		"DELETE FROM juliu.sales_out_serial",
	}
	records := map[string]record.Record{}
	for i := range int64(40) {
		r := full(t, i+1, uint64(i+1))
		records[r.Key] = r
		write(t, s, r)
	}
	var want []string
	for i, damage := range damages {
		postgrestest.Execute(t, url, fmt.Sprintf("%s WHERE io_id = %d", damage, i+1))
		want = append(want, strconv.Itoa(i+1))
	}
	slices.Sort(want)
	rows := look(t, s, period())
	if diff := cmp.Diff(want, broken(rows)); diff != "" {
		t.Fatalf("- want, + got:\n%s", diff)
	}
	postgrestest.Execute(t, url, "DELETE FROM juliu.sales_out_order WHERE io_id = 30") // with lists left behind
	delete(rows, "30")
	var fixes []audit.Fix
	for _, key := range append(want, "30") {
		fixes = append(fixes, audit.Fix{Record: records[key], Written: rows[key].Written})
	}
	stored, err := s.Replace(t.Context(), fixes)
	if err != nil || len(stored) != len(fixes) {
		t.Fatalf("%d stored of %d: %v", len(stored), len(fixes), err)
	}
	after := look(t, s, period())
	if b := broken(after); len(b) > 0 || len(after) != len(records) {
		t.Errorf("%d rows of %d, broken are %v", len(after), len(records), b)
	}
	for key, row := range after {
		if was, changed := rows[key], slices.Contains(append(want, "30"), key); !changed && was.Written != row.Written {
			t.Errorf("row %s was written too", key)
		}
	}
}

// A record that the database refuses, as one that is missing because it was dead-lettered, does not keep the others from being replaced.
func TestOneRejectedRecordStopsNoReplacement(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	write(t, s, full(t, 1, 1))
	postgrestest.Execute(t, url, "ALTER TABLE juliu.sales_out_order ADD CONSTRAINT refusal CHECK (io_id NOT IN (3, 40)) NOT VALID")
	fixes := make([]audit.Fix, 0, 50)
	for key := range int64(50) {
		fixes = append(fixes, audit.Fix{Record: full(t, key+2, uint64(key+2))})
	}
	stored, err := s.Replace(t.Context(), fixes)
	if rows := look(t, s, period()); err != nil || len(stored) != 48 || slices.Contains(stored, "3") || slices.Contains(stored, "40") || len(rows) != 49 {
		t.Errorf("%d stored of 50, %d rows: %v", len(stored), len(rows), err)
	}
}

// What a loader writes after an audit has read the row is newer, and stays.
func TestAReplacementNeverGoesBack(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	old := order(t, 1, 1, 1)
	write(t, s, old, order(t, 2, 1, 2))
	rows := look(t, s, period())
	write(t, s, order(t, 1, 2, 3), order(t, 3, 2, 4))
	stored, err := s.Replace(t.Context(), []audit.Fix{
		{Record: old, Written: rows["1"].Written},
		{Record: order(t, 2, 1, 2), Written: rows["2"].Written},
		{Record: order(t, 3, 1, 1)}, // it was not there when the audit read
	})
	if err != nil || !slices.Equal(stored, []string{"2"}) {
		t.Errorf("stored %v, %v; want 2 alone", stored, err)
	}
	versions := map[string]int64{}
	for key, row := range look(t, s, period()) {
		versions[key] = row.Version.TS
	}
	if diff := cmp.Diff(map[string]int64{"1": 2, "2": 1, "3": 2}, versions); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	postgrestest.Execute(t, url, "ALTER TABLE juliu.sales_out_order DROP COLUMN remark")
	_, err = s.Replace(t.Context(), []audit.Fix{{Record: old, Written: rows["1"].Written}})
	readErr := s.Rows(t.Context(), period(), func(audit.Row) error { return nil })
	if err == nil && readErr == nil {
		t.Error("a missing column is no error")
	}
	checkText(t, err)
	checkText(t, readErr)
}
