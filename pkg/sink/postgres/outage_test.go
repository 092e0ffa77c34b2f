package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/postgres/postgrestest"
)

// TestAServerThatIsStoppedIsAnOutage comes first and alone: it stops the server of all.
func TestAServerThatIsStoppedIsAnOutage(t *testing.T) { //nolint:paralleltest // it stops the server of all
	s, url := database(t)
	write(t, s, order(t, 1, 1, 1))
	grace := 30 * time.Second
	if err := postgrestest.Start(t).Container.Stop(t.Context(), &grace); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := s.Write(t.Context(), []record.Record{order(t, 1, 2, 2)})
		wantOutage(t, err, "PostgreSQL at "+postgrestest.Start(t).Address)
	}
	if err := postgrestest.Start(t).Container.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the server is back", func() error {
		err := s.Write(t.Context(), []record.Record{order(t, 1, 2, 2)})
		if err != nil {
			wantOutage(t, err, "PostgreSQL at ")
		}
		return err
	})
	if n := postgrestest.Ask[int64](t, url, "SELECT ts FROM juliu.sales_out_order"); n != 2 {
		t.Errorf("version %d stored, want 2", n)
	}
}

func wantOutage(t *testing.T, err error, says string) {
	t.Helper()
	checkText(t, err)
	if down, ok := errors.AsType[*sink.UnavailableError](err); !ok || !strings.Contains(down.Error(), says) {
		t.Errorf("write: %v, want an UnavailableError that says %q", err, says)
	}
}

// hold locks the table of orders until what it returns is called.
func hold(t *testing.T, url string) func() {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	release := func() { _ = conn.Close(context.WithoutCancel(t.Context())) }
	t.Cleanup(release)
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE juliu.sales_out_order IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return release
}

// waiting returns nil when a loader of the database waits for a lock.
func waiting(t *testing.T, url string) error {
	t.Helper()
	n := postgrestest.Ask[int64](t, url, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'juliu-loader' AND wait_event_type = 'Lock'`)
	if n == 0 {
		return errors.New("none waits")
	}
	return nil
}

func TestAConnectionKilledInTheMiddleIsAnOutage(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	release := hold(t, url)
	done := make(chan error, 1)
	go func() { done <- s.Write(t.Context(), []record.Record{order(t, 1, 1, 1, items(2)), order(t, 2, 1, 2)}) }()
	await(t, "the write waits for the lock", func() error { return waiting(t, url) })
	postgrestest.Execute(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'juliu-loader' AND wait_event_type = 'Lock'`)
	wantOutage(t, <-done, "PostgreSQL at ")
	release()
	write(t, s, order(t, 1, 1, 1, items(2)), order(t, 2, 1, 2))
	if n := postgrestest.Ask[int64](t, url, "SELECT count(*) FROM juliu.sales_out_order"); n != 2 {
		t.Errorf("%d orders stored, want 2", n)
	}
}

func TestADeadlockWithOthersIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	write(t, s, order(t, 1, 1, 1), order(t, 2, 1, 2))
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(t.Context()) }()
	// The other side must wait before the server looks for deadlocks on the loader's behalf, so that it ends the loader's transaction.
	if _, err := other.Exec(t.Context(), "SET deadlock_timeout = '20s'; BEGIN; SELECT 1 FROM juliu.sales_out_order WHERE io_id = 2 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Write(t.Context(), []record.Record{order(t, 1, 2, 3), order(t, 2, 2, 4)}) }()
	await(t, "the write waits for the lock", func() error { return waiting(t, url) })
	if _, err := other.Exec(t.Context(), "SELECT 1 FROM juliu.sales_out_order WHERE io_id = 1 FOR UPDATE; COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("write: %v, want it stored by the second try", err)
	}
	await(t, "the server has counted one deadlock", func() error { return deadlocks(t, url, 1) })
}

// deadlocks returns nil when the server has counted as many in the database.
func deadlocks(t *testing.T, url string, want int64) error {
	t.Helper()
	if n := postgrestest.Ask[int64](t, url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != want {
		return fmt.Errorf("%d deadlocks, want %d", n, want)
	}
	return nil
}

func TestTroubleOfTheDatabaseIsAnOutage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ ddl, says string }{
		"read-only":              {"ALTER DATABASE %s SET default_transaction_read_only = on", "it is read-only: a standby, or an administrator's lock, often for a full disk; name the primary in the URL, or make room (SQLSTATE 25006)"},
		"a right is missing":     {"REVOKE INSERT ON juliu.sales_out_order FROM writer", "the user lacks a right; grant USAGE on the schema juliu and SELECT, INSERT, UPDATE, DELETE on its tables (SQLSTATE 42501)"},
		"a table is missing":     {"DROP TABLE juliu.sales_out_item", "a table of juliu is missing; put it back, or drop the schema juliu, start the loader again, which creates it, and replay (SQLSTATE 42P01)"},
		"a column is missing":    {"ALTER TABLE juliu.sales_out_order DROP COLUMN remark", "a column of juliu is missing; put it back, or drop the schema juliu, start the loader again, which creates it, and replay (SQLSTATE 42703)"},
		"no connection is left":  {"ALTER DATABASE %s CONNECTION LIMIT 0", "it has no connection left; lower LOADER_WORKERS or raise max_connections (SQLSTATE 53300)"},
		"the password was reset": {"ALTER USER writer PASSWORD 'other'", "it refuses the user or the password (SQLSTATE 28P01)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := database(t)
			database := postgrestest.Ask[string](t, url, "SELECT current_database()")
			user := "writer_" + database
			postgrestest.Execute(t, url, fmt.Sprintf(`CREATE USER %[1]s PASSWORD '%[2]s'; GRANT USAGE ON SCHEMA juliu TO %[1]s;
				GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA juliu TO %[1]s`, user, password))
			s := open(t, postgrestest.Start(t).URL(user, password, database)) // it has no connection yet
			ddl := strings.ReplaceAll(test.ddl, "writer", user)
			postgrestest.Execute(t, url, strings.ReplaceAll(ddl, "%s", database))
			err := s.Write(t.Context(), []record.Record{order(t, 1, 1, 1, items(1)), order(t, 2, 1, 2)})
			wantOutage(t, err, "PostgreSQL at "+postgrestest.Start(t).Address+": "+test.says)
		})
	}
}

func TestATableThatStaysLockedIsAnOutage(t *testing.T) {
	t.Parallel()
	s, url := database(t)
	hold(t, url)
	err := s.Write(t.Context(), []record.Record{order(t, 1, 1, 1)})
	wantOutage(t, err, "somebody holds a lock on a table of juliu")
}

func TestAClosedSinkSaysSo(t *testing.T) {
	t.Parallel()
	s, _ := database(t)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []record.Record{order(t, 1, 1, 1)}); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("write: %v, want ErrClosed", err)
	}
}
