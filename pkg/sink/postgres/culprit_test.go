package postgres_test

import (
	"errors"
	"testing"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/postgres/postgrestest"
)

// TestABatchIsCutAtTheRowThatTheServerNames counts the rows that the server looks at: those up to the poison, those before it again, and
// those behind it. A sequence counts what is rolled back too.
func TestABatchIsCutAtTheRowThatTheServerNames(t *testing.T) {
	t.Parallel()
	const size, poison = 64, 40
	for name, stored := range map[string]bool{"new orders": false, "versions of stored orders": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := database(t)
			batch := func(ts int64) []record.Record {
				all := make([]record.Record, size)
				for i := range all {
					more := ""
					if ts > 1 && i == poison {
						more = `,"o_id":13`
					}
					all[i] = order(t, int64(i+1), ts, uint64(ts*size)+uint64(i), more)
				}
				return all
			}
			if stored {
				write(t, s, batch(1)...)
			}
			postgrestest.Execute(t, url, `ALTER TABLE juliu.sales_out_order ADD CHECK (o_id <> 13); CREATE SEQUENCE public.seen;
				CREATE FUNCTION public.count() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM nextval('public.seen'); RETURN NEW; END$$;
				CREATE TRIGGER count BEFORE INSERT ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION public.count()`)
			failures, ok := errors.AsType[*sink.BatchError](s.Write(t.Context(), batch(2)))
			if !ok || len(failures.Failed) != 1 || !errors.Is(failures.Failed[poison], sink.ErrRejected) {
				t.Fatal("write: want one record rejected")
			}
			if got, want := postgrestest.Ask[int64](t, url, "SELECT last_value FROM public.seen"), int64(poison+1+size-1); got != want {
				t.Errorf("the server looked at %d rows, want %d", got, want)
			}
		})
	}
}
