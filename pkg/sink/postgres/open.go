package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// connectTimeout is that of a URL without connect_timeout.
	connectTimeout = 10 * time.Second
	// applicationName is how the loader's connections show in pg_stat_activity, unless the URL says otherwise.
	applicationName = "juliu-loader"
)

// OpenError is why the database cannot be used. Its text holds no password.
type OpenError struct {
	// Fault says what is wrong, as the end of a sentence that begins with the URL: "names a database that does not exist".
	Fault string
	// Remedy says what to do.
	Remedy string
	// Lasting means that trying again without a change cannot help.
	Lasting bool
}

// Error is fault and remedy in one line.
func (e *OpenError) Error() string { return "open PostgreSQL: its URL " + e.Fault + "; " + e.Remedy }

// Open connects, and brings the tables of the schema juliu to this program's version. Any number of loaders may do so at once; a user
// who may not create tables can write where they are there already. The error is an *OpenError, or that of ctx.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	config, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, config.ConnConfig); err != nil {
		return nil, explain(ctx, config.ConnConfig, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, explain(ctx, config.ConnConfig, err)
	}
	return &Sink{pool: pool, address: address(config.ConnConfig), tables: tables()}, nil
}

// parse reads the URL. The driver's own words are left out: they quote it.
func parse(cfg Config) (*pgxpool.Config, error) {
	const remedy = "write postgres://user:password@host:5432/database?sslmode=verify-full, with %40 for an @ in the password, %2F for a /" //nolint:gosec // an example
	text := strings.TrimSpace(cfg.URL.Reveal())
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return nil, &OpenError{Fault: "does not begin with postgres://", Remedy: remedy, Lasting: true}
	}
	config, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, &OpenError{Fault: "cannot be read", Remedy: remedy, Lasting: true}
	}
	config.MaxConns = int32(min(max(cfg.Connections, 1), 1000))
	conn := config.ConnConfig
	if !strings.Contains(text, "connect_timeout") {
		conn.ConnectTimeout = connectTimeout
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = applicationName
	}
	return config, nil
}

// explain tells the operator what to do about an error of connecting or migrating.
func explain(ctx context.Context, config *pgx.ConnConfig, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("open PostgreSQL: %w", ctx.Err())
	}
	if told, ok := errors.AsType[*OpenError](err); ok {
		return told
	}
	at := address(config)
	refusal, refused := errors.AsType[*pgconn.PgError](err)
	if !refused {
		return explainConnection(at, err)
	}
	state := refusal.Code
	switch {
	case state == "28P01":
		return &OpenError{"names a user or a password that " + at + " refuses", "correct them", true}
	case strings.HasPrefix(state, "28"):
		return &OpenError{"names a user or database to which " + at + " gives this machine no access", "add a line for them to its pg_hba.conf, or set sslmode", true}
	case state == "3D000":
		return &OpenError{"names a database that does not exist at " + at, "create it with CREATE DATABASE, or name another", true}
	case state == "42501":
		return &OpenError{
			"names a user who may not create or read the tables of juliu (SQLSTATE 42501)",
			"GRANT CREATE ON DATABASE to it, or let the owner start a loader once and GRANT USAGE ON SCHEMA juliu and SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA juliu",
			true,
		}
	case state == "25006":
		return &OpenError{"names a server that is read-only", "name the primary", true}
	}
	for _, o := range outages() {
		if strings.HasPrefix(state, o.state) {
			return &OpenError{"names a server that cannot be used now", o.says + " (SQLSTATE " + state + ")", false}
		}
	}
	return &OpenError{"names a server that refused the tables of juliu (SQLSTATE " + state + place(refusal) + ")", "see the server's log", false}
}

func explainConnection(at string, err error) error {
	if strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "x509: ") || strings.Contains(err.Error(), "TLS") {
		return &OpenError{
			"names the server " + at + ", with which no trusted TLS connection can be made",
			"name its authority with sslrootcert, or set sslmode to what the server offers", true,
		}
	}
	if isLost(err) || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) {
		return &OpenError{
			"names the server " + at + ", which cannot be reached (" + networkCause(err) + ")",
			"start it, or correct host and port, and see that no firewall is between", false,
		}
	}
	return &OpenError{fmt.Sprintf("names the server %s, with which the driver failed (%T)", at, err), "see the server's log", false}
}

// address is host and port, or the folder of the socket.
func address(config *pgx.ConnConfig) string {
	if strings.HasPrefix(config.Host, "/") {
		return config.Host
	}
	return net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
}
