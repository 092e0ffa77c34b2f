package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"juliu/pkg/sink"
)

// errNoAnswer means that it is not known what is stored.
var errNoAnswer = errors.New("write to PostgreSQL: no answer in time; whether it is stored is not known, writing it again is safe")

// outage is a class of SQLSTATE that says nothing about the records: the server, or our place on it, must change first.
type outage struct {
	state string
	// says is what is wrong, and where the operator can help, what to do.
	says string
	// after is how long to leave it alone; 0 leaves that to the loader.
	after time.Duration
}

// readOnly is SQLSTATE read_only_sql_transaction.
const readOnly = "25006"

// outages has the longer ones first (documentation of PostgreSQL, appendix A, "Error Codes").
func outages() []outage {
	return []outage{
		{readOnly, "it is read-only: a standby, or an administrator's lock, often for a full disk; name the primary in the URL, or make room", 10 * time.Second},
		{"42501", "the user lacks a right; grant USAGE on the schema juliu and SELECT, INSERT, UPDATE, DELETE on its tables", 10 * time.Second},
		{"53100", "its disk is full; make room", 10 * time.Second},
		{"53300", "it has no connection left; lower LOADER_WORKERS or raise max_connections", 5 * time.Second},
		{"55P03", "somebody holds a lock on a table of juliu, as ALTER TABLE does; it goes on when the lock is released", 0},
		{"57P01", "it was shut down, or an administrator ended the connection", 0},
		{"57P02", "it crashed and recovers", 0},
		{"57P03", "it is starting up or shutting down", time.Second},
		{"57P04", "the database was dropped", 10 * time.Second},
		{"XX001", "it found damaged data on its disk", 10 * time.Second},
		{"XX002", "it found a damaged index; REINDEX the tables of juliu", 10 * time.Second},
		{"08", "the connection broke", 0},
		{"28", "it refuses the user or the password", 10 * time.Second},
		{"3D", "the database does not exist", 10 * time.Second},
		{"3F", "the schema juliu is gone; start the loader again, which creates it", 10 * time.Second},
		{"42P01", "a table of juliu is missing; " + restore, 10 * time.Second},
		{"42703", "a column of juliu is missing; " + restore, 10 * time.Second},
		{"42", "the tables of juliu are not as it made them; " + restore, 10 * time.Second},
		{"53", "it is out of resources", 5 * time.Second},
		{"58", "its machine fails it", 10 * time.Second},
	}
}

// restore is what to do about tables that somebody changed: the note of what was migrated says that they are there.
const restore = "put it back, or drop the schema juliu, start the loader again, which creates it, and replay"

// isPoison reports an error that a row causes: of its values and the constraints on them, of limits such as a row's size, of what an
// operator's trigger runs, or with a state that a trigger chose.
func isPoison(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	return ok && len(refusal.Code) == 5 && !isForeign(refusal) && !slices.Contains(strings.Fields(serverClasses), refusal.Code[:2])
}

// raised is the class of what a trigger raises without a state of its own. It concerns one row, or all during somebody's maintenance, so it
// uses up attempts instead of making dead letters at once.
const raised = "P0"

// serverClasses are the classes of SQLSTATE that say nothing about a row (documentation of PostgreSQL, appendix A, "Error Codes"). What is
// left is 20 to 23, 27, 2F, 38, 39, 44, 54, P0 and those that no server uses.
const serverClasses = "00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 24 25 26 28 2B 2D 34 3B 3D 3F 40 42 53 55 57 58 72 F0 HV XX"

// isForeign reports that a column is empty that somebody added and gave no default: no record fills it.
func isForeign(refusal *pgconn.PgError) bool {
	const notNull = "23502"
	for _, t := range tables() {
		if refusal.Code == notNull && t.isForeign(refusal.TableName, refusal.ColumnName) {
			return true
		}
	}
	return false
}

// isConflict reports a transaction that another one made fail: serialization, or deadlock with somebody else's statements.
func isConflict(err error) bool {
	state := sqlState(err)
	return state == "40001" || state == "40P01"
}

// instruct words an error of the driver for the loader and the operator. What the driver and the server say is left out where it may
// quote values: a message of the server shows the value that it refuses, a detail the whole row.
func (s *Sink) instruct(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errNoAnswer) {
		return fmt.Errorf("write to PostgreSQL: %w", ctx.Err())
	}
	refusal, refused := errors.AsType[*pgconn.PgError](err)
	switch {
	case ctx.Err() != nil:
		return errNoAnswer
	case s.closed.Load():
		return fmt.Errorf("write to PostgreSQL: %w", sink.ErrClosed)
	case refused && isForeign(refusal):
		return &sink.UnavailableError{Cause: fmt.Errorf("PostgreSQL at %s: column %s of table %s is not juliu's and may not be empty; give it a default",
			s.address, refusal.ColumnName, refusal.TableName), RetryAfter: 10 * time.Second}
	case refused && strings.HasPrefix(refusal.Code, raised):
		return fmt.Errorf("write to PostgreSQL: SQLSTATE %s%s, as a trigger raises it", refusal.Code, place(refusal))
	case refused && isPoison(err):
		return fmt.Errorf("%w: SQLSTATE %s%s", sink.ErrRejected, refusal.Code, place(refusal))
	case refused:
		for _, o := range outages() {
			if strings.HasPrefix(refusal.Code, o.state) {
				return &sink.UnavailableError{Cause: fmt.Errorf("PostgreSQL at %s: %s (SQLSTATE %s)", s.address, o.says, refusal.Code), RetryAfter: o.after}
			}
		}
		return fmt.Errorf("write to PostgreSQL: SQLSTATE %s%s", refusal.Code, place(refusal))
	case isLost(err):
		return &sink.UnavailableError{Cause: fmt.Errorf("PostgreSQL at %s: the connection cannot be made or broke: %s", s.address, networkCause(err))}
	case errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err):
		return errNoAnswer
	}
	return fmt.Errorf("write to PostgreSQL: the driver failed (%T); its words are left out, they may quote values", err)
}

// place names the table, column and constraint that a refusal is about.
func place(e *pgconn.PgError) string {
	var text strings.Builder
	for _, part := range [][2]string{{"table", e.TableName}, {"column", e.ColumnName}, {"constraint", e.ConstraintName}} {
		if part[1] != "" {
			_, _ = fmt.Fprintf(&text, ", %s %s", part[0], part[1])
		}
	}
	return text.String()
}

// isLost reports that there is no connection to the server.
func isLost(err error) bool {
	_, unconnected := errors.AsType[*pgconn.ConnectError](err)
	network, isNetwork := errors.AsType[net.Error](err)
	return unconnected || isNetwork && !network.Timeout() || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// networkCause is what the operating system or the resolver says; it knows addresses, but neither values nor the password.
func networkCause(err error) string {
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return name.Error()
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		return operation.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) {
		return "no answer in time"
	}
	return "the server closed it"
}
