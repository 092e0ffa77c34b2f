package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"juliu/pkg/secret"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/postgres/postgrestest"
)

func TestACheckTellsWhetherTheTablesAreThereAndMakesNone(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	check := func() (bool, error) {
		return postgres.Check(t.Context(), postgres.Config{URL: secret.New(url), Connections: 1})
	}
	if current, err := check(); err != nil || current {
		t.Errorf("an empty database: %v, %v", current, err)
	}
	if made := postgrestest.Ask[bool](t, url, "SELECT to_regnamespace('juliu') IS NOT NULL"); made {
		t.Error("the check made the schema")
	}
	open(t, url)
	if current, err := check(); err != nil || !current {
		t.Errorf("after a loader's start: %v, %v", current, err)
	}
	postgrestest.Execute(t, url, "DELETE FROM juliu.migration WHERE version_id = (SELECT max(version_id) FROM juliu.migration)")
	if current, err := check(); err != nil || current {
		t.Errorf("tables of an older version: %v, %v", current, err)
	}
	postgrestest.Execute(t, url, "INSERT INTO juliu.migration (version_id, is_applied) VALUES (9999, true)")
	if _, err := check(); err == nil || !strings.Contains(err.Error(), "upgrade this program") {
		t.Errorf("tables of a newer version: %v", err)
	}
}

func TestTheErrorOfACheckIsThatOfOpening(t *testing.T) {
	t.Parallel()
	_, err := postgres.Check(t.Context(), postgres.Config{URL: secret.New("postgres://juliu:" + postgrestest.Password + "@127.0.0.1:1/juliu")})
	refused, ok := errors.AsType[*postgres.OpenError](err)
	if !ok || !strings.Contains(refused.Fault, "127.0.0.1:1") || strings.Contains(err.Error(), postgrestest.Password) {
		t.Errorf("got %v", err)
	}
}
