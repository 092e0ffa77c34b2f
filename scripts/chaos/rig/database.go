package rig

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	databaseUser = "juliu"
	// databaseStart bounds the start of the container and its server.
	databaseStart = time.Minute
)

// recordWrites makes a trigger note every change of a row, before it is committed.
const recordWrites = `
CREATE SCHEMA chaos;
CREATE TABLE chaos.write (n bigserial, at timestamptz, key bigint, old_ts bigint, old_sequence bigint, ts bigint, sequence bigint);
CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF TG_OP = 'INSERT' THEN
INSERT INTO chaos.write (at, key, old_ts, old_sequence, ts, sequence) VALUES (clock_timestamp(), NEW.io_id, 0, 0, NEW.ts, NEW.sequence);
ELSE
INSERT INTO chaos.write (at, key, old_ts, old_sequence, ts, sequence)
VALUES (clock_timestamp(), NEW.io_id, OLD.ts, OLD.sequence, NEW.ts, NEW.sequence);
END IF;
RETURN NULL; END $$;
CREATE TRIGGER chaos AFTER INSERT OR UPDATE ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION chaos.note();`

const (
	rowsQuery = `SELECT json_build_object('key', io_id::text, 'ts', ts, 'sequence', sequence, 'sha256', encode(sha256(raw), 'hex'))
FROM juliu.sales_out_order ORDER BY io_id`
	writesQuery = `SELECT json_build_object('at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'key', key::text, 'old_ts', old_ts,
'old_sequence', old_sequence, 'ts', ts, 'sequence', sequence) FROM chaos.write ORDER BY n`
)

// database is a PostgreSQL server in a container, spoken to by its own psql.
type database struct {
	name string
	port int
}

// startDatabase runs the image and returns when the server answers, the database also with an error. The password stands in a file of the container's environment.
func startDatabase(ctx context.Context, name, image, envFile string, port int) (*database, error) {
	d := &database{name: name, port: port}
	err := docker(ctx, "run", "--detach", "--name", name, "--env-file", envFile, "--publish", "127.0.0.1:"+strconv.Itoa(port)+":5432", image,
		"postgres", "-c", "max_connections=200", "-c", "fsync=off") // no power fails here, and processes that die lose nothing by it
	if err != nil {
		return d, err // there may be a container that did not start
	}
	return d, d.await(ctx)
}

// await waits until the server answers on its port, which during its first start it does not.
func (d *database) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, databaseStart)
	defer cancel()
	for {
		err := docker(ctx, "exec", d.name, "psql", "--host=127.0.0.1", "--username="+databaseUser, "--dbname="+databaseUser, "--no-password", "--command=SELECT 1")
		// Whoever asks for a password listens.
		if err == nil || strings.Contains(err.Error(), "password") {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for PostgreSQL: %w", err)
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// execute runs SQL.
func (d *database) execute(ctx context.Context, sql string) error {
	return docker(ctx, d.psql(sql)...)
}

// dump writes the lines that a query returns.
func (d *database) dump(ctx context.Context, sql string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "docker", d.psql(sql)...) //nolint:gosec // The rig's own queries.
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	return nil
}

func (d *database) psql(sql string) []string {
	return []string{
		"exec", d.name, "psql", "--username=" + databaseUser, "--dbname=" + databaseUser, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--set=ON_ERROR_STOP=1", "--command=" + sql,
	}
}

func (d *database) kill(ctx context.Context) error { return d.do(ctx, "kill") }

func (d *database) start(ctx context.Context) error { return d.do(ctx, "start") }

func (d *database) freeze(ctx context.Context) error { return d.do(ctx, "pause") }

func (d *database) thaw(ctx context.Context) error { return d.do(ctx, "unpause") }

// remove removes the container, whatever its state.
func (d *database) remove(ctx context.Context) error {
	return docker(ctx, "rm", "--force", "--volumes", d.name)
}

func (d *database) do(ctx context.Context, verb string) error {
	return docker(ctx, verb, d.name)
}

func docker(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput() //nolint:gosec // The rig's own commands.
	if err != nil {
		return fmt.Errorf("docker %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}
