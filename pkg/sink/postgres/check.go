package postgres

import (
	"context"
	"fmt"
	"path"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// Check connects and reports whether the tables of the schema juliu have this program's version. It changes nothing: where they have not,
// the next loader that starts migrates them. The error is an *OpenError, or that of ctx.
func Check(ctx context.Context, cfg Config) (bool, error) {
	config, err := parse(cfg)
	if err != nil {
		return false, err
	}
	target, err := newestMigration()
	if err != nil {
		return false, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return false, explain(ctx, config.ConnConfig, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	current, err := isCurrent(ctx, conn, target)
	if err != nil {
		return false, explain(ctx, config.ConnConfig, err)
	}
	return current, nil
}

// newestMigration is the version that migrate brings the tables to.
func newestMigration() (int64, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0, fmt.Errorf("open migrations: %w", err)
	}
	var newest int64
	for _, file := range files {
		version, err := goose.NumericComponent(path.Base(file.Name()))
		if err != nil {
			return 0, fmt.Errorf("read migrations: %w", err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}
