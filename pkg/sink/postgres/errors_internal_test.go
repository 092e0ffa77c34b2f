package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"juliu/pkg/sink"
)

func TestEveryErrorIsAnInstruction(t *testing.T) {
	t.Parallel()
	refusal := func(state string) error {
		return fmt.Errorf("canary: %w", &pgconn.PgError{
			Code: state, Message: "canary", Detail: "canary", Hint: "canary", Where: "canary", InternalQuery: "canary",
			TableName: "t", ColumnName: "c", ConstraintName: "k",
		})
	}
	const rejected, down, plain = "rejected", "down", "plain"
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for name, test := range map[string]struct {
		err  error
		want string
		says string
	}{
		"a number out of range":       {refusal("22003"), rejected, "rejected by the sink: SQLSTATE 22003, table t, column c, constraint k"},
		"a constraint":                {refusal("23514"), rejected, "rejected by the sink: SQLSTATE 23514, table t, column c, constraint k"},
		"a limit":                     {refusal("54000"), rejected, "rejected by the sink: SQLSTATE 54000"},
		"a shutdown":                  {refusal("57P01"), down, "shut down"},
		"a start":                     {refusal("57P03"), down, "starting up"},
		"no connection left":          {refusal("53300"), down, "max_connections"},
		"a full disk":                 {refusal("53100"), down, "make room"},
		"a full memory":               {refusal("53200"), down, "out of resources"},
		"a standby":                   {refusal("25006"), down, "read-only"},
		"a failing disk":              {refusal("58030"), down, "its machine fails it"},
		"a damaged table":             {refusal("XX001"), down, "damaged data"},
		"a broken connection":         {refusal("08006"), down, "the connection broke"},
		"a lock":                      {refusal("55P03"), down, "holds a lock"},
		"a deadlock":                  {refusal("40P01"), plain, "write to PostgreSQL: SQLSTATE 40P01"},
		"a serialization failure":     {refusal("40001"), plain, "write to PostgreSQL: SQLSTATE 40001"},
		"a statement that was long":   {refusal("57014"), plain, "write to PostgreSQL: SQLSTATE 57014"},
		"a fault of the server":       {refusal("XX000"), plain, "write to PostgreSQL: SQLSTATE XX000"},
		"an exception of a trigger":   {refusal("P0001"), plain, "write to PostgreSQL: SQLSTATE P0001, table t, column c, constraint k, as a trigger raises it"},
		"a state that a trigger made": {refusal("JU001"), rejected, "rejected by the sink: SQLSTATE JU001"},
		"a view's check option":       {refusal("44000"), rejected, "rejected by the sink: SQLSTATE 44000"},
		"an unknown table":            {refusal("42P01"), down, "put it back, or drop the schema juliu"},
		"a table that is there":       {refusal("42P07"), down, "not as it made them"},
		"a refused connection":        {fmt.Errorf("canary: %w", refused), down, "connection refused"},
		"an end of the connection":    {fmt.Errorf("canary: %w", io.ErrUnexpectedEOF), down, "the server closed it"},
		"an unknown name":             {&net.DNSError{Err: "no such host", Name: "db"}, down, "no such host"},
		"a silent network":            {context.DeadlineExceeded, plain, "writing it again is safe"},
		"a fault of the driver":       {errors.New("canary"), plain, "the driver failed (*errors.errorString); its words are left out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Sink{address: "db:5432"}
			got := s.instruct(t.Context(), test.err)
			kind := plain
			if _, ok := errors.AsType[*sink.UnavailableError](got); ok {
				kind = down
			} else if errors.Is(got, sink.ErrRejected) {
				kind = rejected
			}
			if kind != test.want || !strings.Contains(got.Error(), test.says) || strings.Contains(got.Error(), "canary") {
				t.Errorf("%s: %v, want %s: %s", kind, got, test.want, test.says)
			}
		})
	}
}

func TestAWriteThatHearsNothingIsNotKnownToHaveFailed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Nanosecond, errNoAnswer)
	defer cancel()
	<-ctx.Done()
	s := &Sink{}
	if got := s.instruct(ctx, io.ErrUnexpectedEOF); !errors.Is(got, errNoAnswer) {
		t.Errorf("%v, want %v", got, errNoAnswer)
	}
}
