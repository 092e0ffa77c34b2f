package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/postgres/postgrestest"
)

// refuse is a trigger on a table that runs a body when it sees the order 13, "" for each row.
func refuse(when, table, body string) string {
	return fmt.Sprintf(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF NEW.o_id = 13 THEN %s END IF; RETURN NEW; END$$;
		CREATE %s ON juliu.%s FOR EACH ROW EXECUTE FUNCTION public.refuse()`, body, fmt.Sprintf(when, "refuse"), table)
}

// TestAnOrderThatATriggerRefusesFailsAlone also covers the versions of orders that are stored.
func TestAnOrderThatATriggerRefusesFailsAlone(t *testing.T) {
	t.Parallel()
	const raise = "RAISE EXCEPTION 'not %', NEW.receiver_name"
	for name, test := range map[string]struct{ ddl, says string }{
		"before a row is written":   {refuse("TRIGGER %s BEFORE INSERT OR UPDATE", "sales_out_order", raise+";"), "write to PostgreSQL: SQLSTATE P0001, as a trigger raises it"},
		"after a row is written":    {refuse("TRIGGER %s AFTER INSERT OR UPDATE", "sales_out_order", raise+";"), "write to PostgreSQL: SQLSTATE P0001, as a trigger raises it"},
		"at the end":                {strings.Replace(refuse("CONSTRAINT TRIGGER %s AFTER INSERT OR UPDATE", "sales_out_order", raise+";"), "FOR EACH", "DEFERRABLE INITIALLY DEFERRED FOR EACH", 1), "write to PostgreSQL: SQLSTATE P0001, as a trigger raises it"},
		"with a state of its own":   {refuse("TRIGGER %s BEFORE INSERT OR UPDATE", "sales_out_order", raise+" USING ERRCODE = 'JU001';"), "rejected by the sink: SQLSTATE JU001"},
		"on a list":                 {strings.Replace(refuse("TRIGGER %s BEFORE INSERT", "sales_out_item", raise+";"), "NEW.o_id = 13 THEN RAISE EXCEPTION 'not %', NEW.receiver_name", "NEW.name = '13' THEN RAISE EXCEPTION 'not %', NEW.name", 1), "write to PostgreSQL: SQLSTATE P0001, as a trigger raises it"},
		"by a constraint":           {"ALTER TABLE juliu.sales_out_order ADD CHECK (o_id <> 13)", "rejected by the sink: SQLSTATE 23514, table sales_out_order, constraint sales_out_order_o_id_check"},
		"by a constraint on a list": {"ALTER TABLE juliu.sales_out_item ADD CHECK (name <> '13')", "rejected by the sink: SQLSTATE 23514, table sales_out_item, constraint sales_out_item_name_check"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, url := database(t)
			postgrestest.Execute(t, url, test.ddl)
			poison := `,"o_id":13,"items":[{"name":"1"},{"name":"13"}]`
			for round := range 2 {
				var batch []record.Record
				for key := range int64(20) {
					more := items(2)
					if key == 3 || key == 11 || key == 12 {
						more = poison
					}
					batch = append(batch, order(t, 20-key, int64(round+1), uint64(round)*100+uint64(key)+1, more))
				}
				failures, ok := errors.AsType[*sink.BatchError](s.Write(t.Context(), batch))
				if !ok || len(failures.Failed) != 3 {
					t.Fatalf("round %d: want a BatchError of 3", round)
				}
				for _, at := range []int{3, 11, 12} {
					err := failures.Failed[at]
					checkText(t, err)
					if err.Error() != test.says || errors.Is(err, sink.ErrRejected) != strings.HasPrefix(test.says, sink.ErrRejected.Error()) {
						t.Errorf("round %d, record %d: %v", round, at, err)
					}
				}
				want := fmt.Sprintf("17 of %d, 34 items", round+1)
				if got := postgrestest.Ask[string](t, url, `SELECT format('%s of %s, %s items', count(*), min(ts), (SELECT count(*) FROM juliu.sales_out_item)) FROM juliu.sales_out_order`); got != want {
					t.Errorf("round %d: %s, want %s", round, got, want)
				}
			}
		})
	}
}

func TestATriggerThatSkipsAnOrderSkipsItsLists(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	postgrestest.Execute(t, url, refuse("TRIGGER %s BEFORE INSERT OR UPDATE", "sales_out_order", "RETURN NULL;"))
	write(t, s, order(t, 1, 1, 1, items(2)), order(t, 2, 1, 2, `,"o_id":13`, items(2)))
	if got := postgrestest.Ask[string](t, url, "SELECT string_agg(io_id::text, ',') FROM juliu.sales_out_item"); got != "1,1" {
		t.Errorf("items of %s, want 1,1", got)
	}
}

func TestTablesThatSomebodyChangedAreWritten(t *testing.T) {
	t.Parallel()
	for name, ddl := range map[string]string{
		"a number as text":       "ALTER TABLE juliu.sales_out_order ALTER pay_amount TYPE text; ALTER TABLE juliu.sales_out_item ALTER sale_price TYPE varchar(9)",
		"a number as a float":    "ALTER TABLE juliu.sales_out_order ALTER pay_amount TYPE double precision; ALTER TABLE juliu.sales_out_item ALTER sale_price TYPE real",
		"an id as a number":      "ALTER TABLE juliu.sales_out_order ALTER ts TYPE numeric, ALTER shop_id TYPE integer; ALTER TABLE juliu.sales_out_item ALTER ioi_id TYPE numeric",
		"a column of theirs":     "ALTER TABLE juliu.sales_out_order ADD note text DEFAULT 'theirs' NOT NULL",
		"columns in other order": "ALTER TABLE juliu.sales_out_order DROP COLUMN fetched_at; ALTER TABLE juliu.sales_out_order ADD fetched_at timestamptz",
		"row-level security": `ALTER TABLE juliu.sales_out_order ENABLE ROW LEVEL SECURITY; GRANT USAGE ON SCHEMA juliu TO PUBLIC;
			CREATE POLICY everything ON juliu.sales_out_order USING (true); GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA juliu TO PUBLIC`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := database(t)
			postgrestest.Execute(t, url, ddl)
			database := postgrestest.Ask[string](t, url, "SELECT current_database()")
			postgrestest.Execute(t, url, fmt.Sprintf(`CREATE USER altered_%[1]s PASSWORD '%[2]s'; GRANT USAGE ON SCHEMA juliu TO altered_%[1]s;
				GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA juliu TO altered_%[1]s`, database, password))
			s := open(t, postgrestest.Start(t).URL("altered_"+database, password, database))
			for ts := range int64(2) {
				write(t, s, order(t, 1, ts+1, uint64(ts)+1, `,"pay_amount":12.50`, items(2)), order(t, 2, ts+1, uint64(ts)+9, items(1)))
			}
			if got := postgrestest.Ask[string](t, url, `SELECT format('%s of %s, %s', count(*), min(ts), (SELECT count(*) FROM juliu.sales_out_item)) FROM juliu.sales_out_order`); got != "2 of 2, 3" {
				t.Errorf("stored %s, want 2 of 2, 3", got)
			}
		})
	}
}

func TestAColumnThatNoRecordFillsIsAnOutage(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"sales_out_order", "sales_out_item"} {
		s, url := database(t)
		postgrestest.Execute(t, url, "ALTER TABLE juliu."+table+" ADD theirs text NOT NULL")
		err := s.Write(t.Context(), []record.Record{order(t, 1, 1, 1, items(1)), order(t, 2, 1, 2, items(1))})
		wantOutage(t, err, "column theirs of table "+table+" is not juliu's and may not be empty; give it a default")
	}
}

func TestAServerThatWasReadOnlyIsAskedAgainOnANewConnection(t *testing.T) {
	t.Parallel()
	_, url := database(t)
	database := postgrestest.Ask[string](t, url, "SELECT current_database()")
	postgrestest.Execute(t, url, fmt.Sprintf(`CREATE USER turning_%[1]s PASSWORD '%[2]s'; GRANT USAGE ON SCHEMA juliu TO turning_%[1]s;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA juliu TO turning_%[1]s; ALTER USER turning_%[1]s SET default_transaction_read_only = on`, database, password))
	s := open(t, postgrestest.Start(t).URL("turning_"+database, password, database))
	wantOutage(t, s.Write(t.Context(), []record.Record{order(t, 1, 1, 1)}), "read-only")
	postgrestest.Execute(t, url, "ALTER USER turning_"+database+" RESET default_transaction_read_only")
	write(t, s, order(t, 1, 1, 1))
}
