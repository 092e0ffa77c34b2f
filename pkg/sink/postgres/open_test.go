package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"juliu/pkg/secret"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/postgres/postgrestest"
)

func TestManyLoadersMayStartAtOnce(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			s, err := postgres.Open(t.Context(), postgres.Config{URL: secret.New(url), Connections: 1})
			if err == nil {
				err = s.Close(t.Context())
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	write(t, open(t, url), order(t, 1, 1, 1))
}

func TestAUserWhoMayOnlyWriteFindsTheTablesThere(t *testing.T) {
	t.Parallel()
	_, url := database(t)
	name := postgrestest.Ask[string](t, url, "SELECT current_database()")
	postgrestest.Execute(t, url, fmt.Sprintf(`CREATE USER only_%[1]s PASSWORD '%[2]s'; GRANT USAGE ON SCHEMA juliu TO only_%[1]s;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA juliu TO only_%[1]s; ALTER USER only_%[1]s SET search_path = nowhere`, name, password))
	s := open(t, postgrestest.Start(t).URL("only_"+name, password, name))
	write(t, s, order(t, 1, 1, 1, items(2)))
	write(t, s, order(t, 1, 2, 2, items(1)))
	if n := postgrestest.Ask[int64](t, url, "SELECT count(*) FROM juliu.sales_out_item"); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}

func TestTheErrorOfOpeningSaysWhatToDo(t *testing.T) {
	t.Parallel()
	good := postgrestest.Database(t)
	address := postgrestest.Start(t).Address
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	_ = listener.Close()
	newer := postgrestest.Database(t)
	_ = open(t, newer)
	postgrestest.Execute(t, newer, "INSERT INTO juliu.migration (version_id, is_applied) VALUES (99, true)")
	poor := postgrestest.Database(t)
	poorName := postgrestest.Ask[string](t, poor, "SELECT current_database()")
	postgrestest.Execute(t, poor, fmt.Sprintf("CREATE USER poor_%s PASSWORD '%s'", poorName, password))
	blind := postgrestest.Database(t)
	_ = open(t, blind)
	blindName := postgrestest.Ask[string](t, blind, "SELECT current_database()")
	postgrestest.Execute(t, blind, fmt.Sprintf("CREATE USER blind_%s PASSWORD '%s'", blindName, password))

	for name, test := range map[string]struct {
		url, fault, remedy string
		lasting            bool
	}{
		"nothing":                       {"", "does not begin with postgres://", "write postgres://", true},
		"another scheme":                {"mysql://juliu:" + password + "@host/juliu", "does not begin with postgres://", "write postgres://", true},
		"a password that breaks it":     {"postgres://juliu:" + password + "%zz@host/juliu", "cannot be read", "with %40 for an @", true},
		"a parameter that is wrong":     {good + "&sslmode=" + password, "cannot be read", "write postgres://", true},
		"a pool parameter":              {good + "&pool_max_conns=" + password, "cannot be read", "write postgres://", true},
		"a port that nobody listens on": {"postgres://juliu:" + password + "@" + closed + "/juliu", "names the server " + closed + ", which cannot be reached (dial tcp", "start it, or correct host and port", false},
		"a host that does not exist":    {"postgres://juliu:" + password + "@nowhere.invalid/juliu", "names the server nowhere.invalid:5432, which cannot be reached (lookup", "start it, or correct", false},
		"a wrong password":              {postgrestest.Start(t).URL("juliu", "wrong-"+password, "juliu"), "names a user or a password that " + address + " refuses", "correct them", true},
		"a user that does not exist":    {postgrestest.Start(t).URL("nobody", password, "juliu"), "names a user or a password that " + address + " refuses", "correct them", true},
		"a database that is missing":    {postgrestest.Start(t).URL("juliu", password, "missing"), "names a database that does not exist at " + address, "CREATE DATABASE", true},
		"a user without the right":      {postgrestest.Start(t).URL("poor_"+poorName, password, poorName), "names a user who may not create or read the tables of juliu", "GRANT CREATE ON DATABASE", true},
		"a user who may not read":       {postgrestest.Start(t).URL("blind_"+blindName, password, blindName), "names a user who may not create or read the tables of juliu", "GRANT USAGE ON SCHEMA juliu", true},
		"tables of a newer program":     {newer, "names a database whose tables are of version 99; this program knows version 1", "upgrade this program", true},
		"TLS that the server lacks":     {strings.Replace(good, "sslmode=disable", "sslmode=require", 1), "names the server " + address + ", with which no trusted TLS connection can be made", "set sslmode", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := postgres.Open(t.Context(), postgres.Config{URL: secret.New(test.url), Connections: 1})
			checkText(t, err)
			got, ok := errors.AsType[*postgres.OpenError](err)
			if !ok {
				t.Fatalf("%v, want an OpenError", err)
			}
			if !strings.Contains(got.Fault, test.fault) || !strings.Contains(got.Remedy, test.remedy) || got.Lasting != test.lasting {
				t.Errorf("%v (lasting %v), want %q and %q", got, got.Lasting, test.fault, test.remedy)
			}
		})
	}
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := postgres.Open(ctx, postgres.Config{URL: secret.New(url), Connections: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v, want context.Canceled", err)
	}
}
