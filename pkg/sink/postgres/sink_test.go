package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/postgres/postgrestest"
)

func TestWhateverTheOrderOfVersionsTheRowIsTheSame(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]func(t *testing.T, key int64, n int) record.Record{
		"versions by ts": func(t *testing.T, key int64, n int) record.Record {
			t.Helper()
			return order(t, key, int64(n+1), uint64(9-n), `,"remark":"`, strconv.Itoa(n), `"`, items(4-n), serials(n%2))
		},
		"versions by modified": func(t *testing.T, key int64, n int) record.Record {
			t.Helper()
			return decode(t, fmt.Sprintf(`{"io_id":%d,"modified":"2026-02-01 00:00:0%d","remark":"%d"%s%s}`, key, n, n, items(4-n), serials(n%2)), uint64(9-n))
		},
		"equal versions by their place": func(t *testing.T, key int64, n int) record.Record {
			t.Helper()
			return order(t, key, 7, uint64(n+1), `,"remark":"`, strconv.Itoa(n), `"`, items(4-n), serials(n%2))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := database(t)
			for i, permutation := range permutations(5) {
				// The first two come again at the end; the batches are cut at random.
				history := slices.Concat(permutation, permutation[:2])
				for len(history) > 0 {
					cut := 1 + rand.IntN(len(history))
					var batch []record.Record
					for _, n := range history[:cut] {
						batch = append(batch, version(t, int64(i+1), n))
					}
					write(t, s, batch...)
					history = history[cut:]
				}
			}
			want := fmt.Sprintf("120 rows, remark 4, sequence %d, items 0, serials 0", version(t, 1, 4).Sequence)
			got := postgrestest.Ask[string](t, url, `SELECT format('%s rows, remark %s, sequence %s, items %s, serials %s', count(*), string_agg(DISTINCT remark, ','),
				string_agg(DISTINCT sequence::text, ','), (SELECT count(*) FROM juliu.sales_out_item), (SELECT count(*) FROM juliu.sales_out_serial))
				FROM juliu.sales_out_order`)
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// items and serials are members with n elements.
func items(n int) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = fmt.Sprintf(`{"ioi_id":%d,"qty":%d,"sale_price":89.90,"name":"纯棉"}`, i+1, i)
	}
	return `,"items":[` + strings.Join(elements, ",") + `]`
}

func serials(n int) string {
	return `,"sns":[` + strings.Join(slices.Repeat([]string{`{"sn":"S1"}`}, n), ",") + `]`
}

// permutations are all orders of 0 to n-1.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

func TestAPoisonousRecordIsFoundAndItsNeighboursAreStoredOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ddl    string
		poison []int
		says   string
	}{
		"one that breaks a constraint":     {"ALTER TABLE juliu.sales_out_order ADD CONSTRAINT no_13 CHECK (o_id <> 13)", []int{37}, "rejected by the sink: SQLSTATE 23514, table sales_out_order, constraint no_13"},
		"three that break one":             {"ALTER TABLE juliu.sales_out_order ADD CONSTRAINT no_13 CHECK (o_id <> 13)", []int{0, 50, 99}, "rejected by the sink: SQLSTATE 23514, table sales_out_order, constraint no_13"},
		"one that a column cannot hold":    {"ALTER TABLE juliu.sales_out_order ALTER receiver_name TYPE varchar(2)", []int{37}, "rejected by the sink: SQLSTATE 22001"},
		"one whose line a table refuses":   {"ALTER TABLE juliu.sales_out_item ALTER qty SET NOT NULL", []int{99}, "rejected by the sink: SQLSTATE 23502, table sales_out_item, column qty"},
		"one that an index cannot hold":    {"CREATE INDEX ON juliu.sales_out_order (remark)", []int{1}, "rejected by the sink: SQLSTATE 54000"},
		"one that violates a unique index": {"CREATE UNIQUE INDEX by_o_id ON juliu.sales_out_order (o_id) WHERE o_id = 13", []int{2, 3}, "rejected by the sink: SQLSTATE 23505, table sales_out_order, constraint by_o_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := database(t)
			postgrestest.Execute(t, url, test.ddl)
			postgrestest.Execute(t, url, `CREATE TABLE public.written (io_id bigint);
				CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.written VALUES (NEW.io_id); RETURN NULL; END';
				CREATE TRIGGER note AFTER INSERT OR UPDATE ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION public.note()`)
			batch := make([]record.Record, 100)
			for i := range batch {
				name := `,"receiver_name":"王"`
				if slices.Contains(test.poison, i) {
					name = `,"o_id":13,"remark":"` + noise() + `","receiver_name":"王小明","items":[{"qty":null}]`
				}
				batch[i] = decode(t, fmt.Sprintf(`{"io_id":%d,"ts":1%s}`, i+1, name), uint64(i+1))
			}
			if strings.Contains(test.says, "by_o_id") {
				test.poison = test.poison[1:]
			}
			err := s.Write(t.Context(), batch)
			failures, ok := errors.AsType[*sink.BatchError](err)
			if !ok {
				t.Fatalf("write: %v, want a BatchError", err)
			}
			for _, i := range test.poison {
				got := failures.Failed[i]
				checkText(t, got)
				if !errors.Is(got, sink.ErrRejected) || got.Error() != test.says {
					t.Errorf("record %d: %v, want %s", i, got, test.says)
				}
			}
			good := int64(len(batch) - len(test.poison))
			if len(failures.Failed) != len(test.poison) || postgrestest.Ask[int64](t, url, "SELECT count(*) FROM juliu.sales_out_order") != good {
				t.Errorf("%d failed, want %d and the others stored", len(failures.Failed), len(test.poison))
			}
			if n := postgrestest.Ask[int64](t, url, "SELECT count(*) FROM public.written"); n != good {
				t.Errorf("%d rows were written to store %d", n, good)
			}
			alone := s.Write(t.Context(), batch[test.poison[0]:test.poison[0]+1])
			if !errors.Is(alone, sink.ErrRejected) {
				t.Errorf("alone: %v, want ErrRejected", alone)
			}
		})
	}
}

// noise is text that does not compress.
func noise() string {
	text := make([]byte, 20_000)
	for i := range text {
		text[i] = byte('a' + rand.IntN(26))
	}
	return string(text)
}

func TestAnOlderVersionIsStoredWhenTheNewestIsPoison(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	postgrestest.Execute(t, url, "ALTER TABLE juliu.sales_out_order ADD CONSTRAINT no_13 CHECK (o_id <> 13)")
	err := s.Write(t.Context(), []record.Record{order(t, 1, 1, 1), order(t, 2, 1, 2), order(t, 1, 2, 3, `,"o_id":13`)})
	failures, ok := errors.AsType[*sink.BatchError](err)
	if !ok || len(failures.Failed) != 1 || !errors.Is(failures.Failed[2], sink.ErrRejected) {
		t.Fatalf("write: %v, want the last rejected", err)
	}
	if n := postgrestest.Ask[int64](t, url, "SELECT count(*) FROM juliu.sales_out_order"); n != 2 {
		t.Errorf("%d orders stored, want 2", n)
	}
}

func TestARecordThatNoTableTakesIsRejected(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	batch := []record.Record{order(t, 1, 1, 1), order(t, 2, 1, 2), order(t, 3, 1, 3), order(t, 4, 1, 4)}
	batch[1].Resource, batch[2].Payload, batch[3].Key = "refund", nil, "44"
	failures, ok := errors.AsType[*sink.BatchError](s.Write(t.Context(), batch))
	if !ok || len(failures.Failed) != 3 {
		t.Fatalf("write: want a BatchError of 3")
	}
	for i, says := range []string{"", "no table for refund records; upgrade", "payload is not that of a sales-out record; upgrade", "key is not the io_id"} {
		if i > 0 && (!errors.Is(failures.Failed[i], sink.ErrRejected) || !strings.Contains(failures.Failed[i].Error(), says)) {
			t.Errorf("record %d: %v, want %s", i, failures.Failed[i], says)
		}
	}
	if n := postgrestest.Ask[int64](t, url, "SELECT count(*) FROM juliu.sales_out_order"); n != 1 {
		t.Errorf("%d orders stored, want 1", n)
	}
}

func TestLoadersThatShareKeysNeitherBlockForEverNorGoBack(t *testing.T) {
	t.Parallel()
	const rounds, keys = 1000, 8
	one, url := database(t)
	two := open(t, url)
	postgrestest.Execute(t, url, `CREATE TABLE public.regression (io_id bigint, was bigint, now bigint);
		CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN IF (NEW.ts, NEW.sequence) <= (OLD.ts, OLD.sequence) THEN INSERT INTO public.regression VALUES (NEW.io_id, OLD.ts, NEW.ts); END IF; RETURN NULL; END';
		CREATE TRIGGER note AFTER UPDATE ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION public.note()`)
	var (
		both  sync.WaitGroup
		fails = make(chan error, 2*rounds)
	)
	for i, s := range []sink.Sink{one, two} {
		// Both tell the same history of every key, in opposite order of keys, and each with a disorder of its own.
		batches := make([][]record.Record, rounds)
		for round, n := range rand.Perm(rounds) {
			for key := range int64(keys) {
				batches[round] = append(batches[round], order(t, key+1, int64(n+1), uint64(n+1), items(n%3)))
			}
			if i == 1 {
				slices.Reverse(batches[round])
			}
		}
		both.Go(func() {
			for _, batch := range batches {
				fails <- s.Write(t.Context(), batch)
			}
		})
	}
	both.Wait()
	close(fails)
	for err := range fails {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := postgrestest.Ask[int64](t, url, "SELECT count(*) FROM public.regression"); n != 0 {
		t.Errorf("%d times an older version replaced a newer one", n)
	}
	if err := deadlocks(t, url, 0); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf("%d of %d, %d items", keys, rounds, keys*((rounds-1)%3))
	if got := postgrestest.Ask[string](t, url, `SELECT format('%s of %s, %s items', count(*), min(ts), (SELECT count(*) FROM juliu.sales_out_item)) FROM juliu.sales_out_order`); got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

func TestNothingOfARowIsLost(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	money := "1234567890123456789012345678901234567890.12340"
	lines := strings.TrimPrefix(items(10_000), ",")
	write(t, s,
		order(t, 1, 9007199254740993, 1, `,"o_id":9007199254740993,"remark":"a\u0000b","pay_amount":`, money, `,"freight":"abc","weight":-0,"qty":1e3,"paid_amount":"","created":"0001-01-01 00:00:00","is_cod":"true","pay_date":"2026-02-01 00:00:00.123"`),
		order(t, 2, 1, 2, `,`, lines),
		order(t, 3, 1, 3, `,"items":[{"sku_id":"z","qty":1.50},{"sku_id":"a\u0000","qty":"x"}],"batchs":[{"batch_no":"B1","product_date":"2026-09-01"}],"sns":[{"sn":"1","is_opened":0}],"ClusterInfos":[{"io_id":77,"l_id":"SF1","f_weight":0.50}],"cb_financenew":{"o_id":5,"rebate_fee":"-1.20"}`),
	)
	for sql, want := range map[string]string{
		"SELECT concat_ws('|', ts, o_id, remark, pay_amount, freight, weight, qty, paid_amount, created, is_cod, surprises) FROM juliu.sales_out_order WHERE io_id = 1": "9007199254740993|9007199254740993|ab|" + money + "|0|1000|t|{remark,freight}",
		"SELECT to_char(pay_date AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') FROM juliu.sales_out_order WHERE io_id = 1":                                            "2026-01-31 16:00:00.123",
		"SELECT (position(convert_to('a\\u0000b', 'UTF8') IN raw) > 0)::text FROM juliu.sales_out_order WHERE io_id = 1":                                                "true",
		"SELECT format('%s %s %s', count(*), sum(qty), max(position)) FROM juliu.sales_out_item WHERE io_id = 2":                                                        "10000 49995000 9999",
		"SELECT string_agg(concat_ws(':', position, sku_id, qty), ',' ORDER BY position) FROM juliu.sales_out_item WHERE io_id = 3":                                     "0:z:1.50,1:a",
		"SELECT surprises::text FROM juliu.sales_out_order WHERE io_id = 3":                                                                                             "{items[1].sku_id,items[1].qty}",
		"SELECT concat_ws(':', batch_no, product_date AT TIME ZONE 'UTC') FROM juliu.sales_out_batch":                                                                   "B1:2026-08-31 16:00:00",
		"SELECT concat_ws(':', sn, is_opened) FROM juliu.sales_out_serial":                                                                                              "1:f",
		"SELECT concat_ws(':', io_id, own_io_id, l_id, f_weight) FROM juliu.sales_out_parcel":                                                                           "3:77:SF1:0.50",
		"SELECT concat_ws(':', o_id, rebate_fee) FROM juliu.sales_out_cb_financenew":                                                                                    "5:-1.20",
	} {
		if diff := cmp.Diff(want, postgrestest.Ask[string](t, url, sql)); diff != "" {
			t.Errorf("%s\n%s", sql, diff)
		}
	}
}

func TestBytesAreStoredAsReceived(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	r := decode(t, "{\"io_id\":1,\"ts\":1,\"remark\":\"\xff\xfe\",\"x\":\"\\ud800\"}", 1)
	write(t, s, r)
	if got := postgrestest.Ask[[]byte](t, url, "SELECT raw FROM juliu.sales_out_order"); string(got) != string(r.Raw) {
		t.Errorf("%q, want %q", got, r.Raw)
	}
}

func TestChildrenThatAnOrderLostByHandAreReplaced(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	write(t, s, order(t, 1, 1, 1, items(3)))
	postgrestest.Execute(t, url, "DELETE FROM juliu.sales_out_order")
	write(t, s, order(t, 1, 1, 1, items(2)))
	if n := postgrestest.Ask[int64](t, url, "SELECT count(*) FROM juliu.sales_out_item"); n != 2 {
		t.Errorf("%d items, want 2", n)
	}
}

// TestEveryFieldHasItsColumn compares the tables with the schema of the ERP's rows.
func TestEveryFieldHasItsColumn(t *testing.T) {
	t.Parallel()
	_, url := database(t)
	rows, err := connect(t, url).Query(t.Context(), `SELECT table_name || '.' || column_name || ' ' || data_type
		FROM information_schema.columns WHERE table_schema = 'juliu' AND table_name LIKE 'sales\_out%'`)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(columns)
	if diff := cmp.Diff(wantedColumns(t), columns); diff != "" {
		t.Error(diff)
	}
}

func TestAnEndedContextIsTold(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	lock := hold(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Write(ctx, []record.Record{order(t, 1, 1, 1)}) }()
	await(t, "the write waits for the lock", func() error { return waiting(t, url) })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v, want context.Canceled", err)
	}
	lock()
	write(t, s, order(t, 1, 1, 1))
}
