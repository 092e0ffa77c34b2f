package postgres

import (
	"errors"
	"regexp"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// culpritError is an error that the server blames on one row.
type culpritError struct {
	error

	// index is the row's record in the batch.
	index int
}

// Unwrap returns what the server said.
func (e *culpritError) Unwrap() error { return e.error }

var (
	// copyLine is the last line of the context of an error in COPY, in the server's language: "COPY sales_out_item, line 3, column qty".
	copyLine = regexp.MustCompile(`(?:^|\n)COPY \w+, \D*(\d+)(?:, [^\n]*)?$`)
	// failingRow is the detail of a broken constraint, in the server's language: "Failing row contains (main, 17, \x12ab…". The columns
	// are those of the table of records: source, sequence, content_hash.
	failingRow = regexp.MustCompile(`^[^(]*\(.*?, (\d+), \\x`)
)

// atLine adds to an error of COPY the row that it stopped at. The lines of COPY are those of rows.
func atLine(err error, rows []row) error {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	if line := numberIn(copyLine, refusal.Where); line > 0 && line <= int64(len(rows)) {
		return &culpritError{err, rows[line-1].index}
	}
	return err
}

// atSequence adds to an error of upsert the row whose place on the stream it shows.
func atSequence(err error, rows []row) error {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	sequence := numberIn(failingRow, refusal.Detail)
	at := slices.IndexFunc(rows, func(r row) bool { return sequence > 0 && r.sequence == uint64(sequence) })
	if at < 0 {
		return err
	}
	return &culpritError{err, rows[at].index}
}

// culprit is where the row is that the error blames, -1 when it blames none.
func culprit(err error, rows []row) int {
	blamed, ok := errors.AsType[*culpritError](err)
	if !ok {
		return -1
	}
	return slices.IndexFunc(rows, func(r row) bool { return r.index == blamed.index })
}

// numberIn is the number that the expression finds, 0 for none.
func numberIn(expression *regexp.Regexp, text string) int64 {
	found := expression.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	n, _ := strconv.ParseInt(found[1], 10, 64)
	return n
}
