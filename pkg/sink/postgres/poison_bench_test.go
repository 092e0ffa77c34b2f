package postgres_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/postgres/postgrestest"
)

// poisonDDL are the ways in which an operator's database refuses the order 13.
func poisonDDL() map[string]string {
	const raise = `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF NEW.o_id = 13 THEN RAISE EXCEPTION 'not %%', NEW.receiver_name; END IF; RETURN NEW; END$$;
		CREATE TRIGGER refuse %s INSERT OR UPDATE ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION public.refuse()`
	return map[string]string{
		"check":  "ALTER TABLE juliu.sales_out_order ADD CONSTRAINT no_13 CHECK (o_id <> 13)",
		"before": fmt.Sprintf(raise, "BEFORE"),
		"after":  fmt.Sprintf(raise, "AFTER"),
	}
}

// BenchmarkPoison writes batches of new orders without poison and with 1 % of it in turns, and reports what of the speed is lost.
func BenchmarkPoison(b *testing.B) {
	for kind, ddl := range poisonDDL() {
		for _, size := range []int{64, 500} {
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				s, url := database(b)
				postgrestest.Execute(b, url, ddl)
				var clean, poisoned time.Duration
				key := 0
				timed := func(share int) time.Duration {
					batch := realistic(b, size, key)
					key += size
					refused := 0
					for i := range batch {
						if share > 0 && (key/2+i)%share == 0 { // half of the keys are of the turns without
							batch[i] = order(b, int64(key-size+i+1), 1, batch[i].Sequence, `,"o_id":13`)
							refused++
						}
					}
					began := time.Now()
					err := s.Write(b.Context(), batch)
					took := time.Since(began)
					wantRefused(b, err, batch, refused)
					return took
				}
				for b.Loop() {
					clean += timed(0)
					poisoned += timed(100)
				}
				b.ReportMetric(float64(b.N*size)/clean.Seconds(), "clean/s")
				b.ReportMetric(float64(b.N*size)/poisoned.Seconds(), "poisoned/s")
				b.ReportMetric(100-100*clean.Seconds()/poisoned.Seconds(), "%lost")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func wantRefused(b *testing.B, err error, batch []record.Record, refused int) {
	b.Helper()
	failures, ok := errors.AsType[*sink.BatchError](err)
	if refused == 0 && err == nil {
		return
	}
	if !ok || len(failures.Failed) != refused {
		b.Fatalf("%d records with %d poison: %v", len(batch), refused, err)
	}
}
