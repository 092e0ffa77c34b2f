package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// versionTable is where goose notes what was applied.
	versionTable = schema + ".migration"
	// migrationLock is the advisory lock under which one loader migrates and the others wait: "juliu" in ASCII.
	migrationLock = 0x6a756c6975
)

// migrate brings the tables to this program's version. Tables that are there need no right but to read and write them.
func migrate(ctx context.Context, config *pgx.ConnConfig) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	sources := provider.ListSources()
	target := sources[len(sources)-1].Version

	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err //nolint:wrapcheck // explain words it
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if done, err := isCurrent(ctx, conn, target); done || err != nil {
		return err
	}
	// A lock of a transaction, and not of a session: it holds behind a pooler too, and ends with the connection.
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { //nolint:wrapcheck // explain words it
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", migrationLock); err != nil {
			return err //nolint:wrapcheck // explain words it
		}
		if done, err := isCurrent(ctx, tx, target); done || err != nil {
			return err
		}
		// Not in tx: goose works on connections of its own and must see it. Asked first, because IF NOT EXISTS wants the right to create.
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", schema).Scan(&exists); err != nil {
			return err //nolint:wrapcheck // explain words it
		}
		if !exists {
			if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+quote(schema)); err != nil {
				return err //nolint:wrapcheck // explain words it
			}
		}
		_, err := provider.Up(ctx)
		return err //nolint:wrapcheck // explain words it
	})
}

// isCurrent reports that nothing is to migrate.
func isCurrent(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, target int64,
) (bool, error) {
	var (
		exists  bool
		version int64
	)
	if err := q.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&exists); err != nil || !exists {
		return false, err //nolint:wrapcheck // explain words it
	}
	if err := q.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable+" WHERE is_applied").Scan(&version); err != nil {
		return false, err //nolint:wrapcheck // explain words it
	}
	if version > target {
		return false, &OpenError{
			Fault:   fmt.Sprintf("names a database whose tables are of version %d; this program knows version %d", version, target),
			Remedy:  "upgrade this program: a newer one has migrated them",
			Lasting: true,
		}
	}
	return version == target, nil
}
