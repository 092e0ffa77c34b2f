package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"juliu/pkg/secret"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/postgres/postgrestest"
)

const (
	// root is the repository, seen from this folder.
	root = "../../.."
	// password is also the canary of the secrets: no error may show it.
	password = postgrestest.Password
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// database is an open sink on a database of its own, and the database's URL.
func database(tb testing.TB) (*postgres.Sink, string) {
	tb.Helper()
	url := postgrestest.Database(tb)
	return open(tb, url), url
}

func open(tb testing.TB, url string) *postgres.Sink {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), postgres.Config{URL: secret.New(url), Connections: 4})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close(context.WithoutCancel(tb.Context())) })
	return s
}

// connect is a connection of the test's own.
func connect(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// await asks again until there is no error, at most half a minute long.
func await(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s: %v", what, err)
		case <-tick.C:
		}
	}
}
