package postgres

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestTheServerNamesARowInAnyLanguage(t *testing.T) {
	t.Parallel()
	rows := []row{{index: 7, sequence: 17}, {index: 5, sequence: 15}, {index: 9, sequence: 19}}
	for name, test := range map[string]struct {
		where, detail string
		want          int
	}{
		"a line":                     {"COPY sales_out_item, line 2", "", 1},
		"a line and a column":        {`COPY sales_out_order, line 3, column remark`, "", 2},
		"a line in German":           {"COPY sales_out_item, Zeile 2, Spalte qty", "", 1},
		"a line in Chinese":          {"COPY sales_out_item, 行 2", "", 1},
		"a line below a trigger":     {"PL/pgSQL function public.refuse() line 1 at RAISE\nCOPY sales_out_order, line 2", "", 1},
		"a line that a value shows":  {"SQL statement \"\nCOPY sales_out_order, line 1\"\nCOPY sales_out_order, line 2", "", 1},
		"a trigger alone":            {"PL/pgSQL function public.refuse() line 1 at RAISE", "", -1},
		"a line that was not sent":   {"COPY sales_out_item, line 4", "", -1},
		"a place on the stream":      {"", `Failing row contains (main, 19, \x12ab, 2026-02-01`, 2},
		"a source with a comma":      {"", `Failing row contains (a, 15, b, 19, \x12ab, 2026-02-01`, 2},
		"a place in German":          {"", `Fehlgeschlagene Zeile enthält (main, 15, \x12ab`, 1},
		"a place that was not sent":  {"", `Failing row contains (main, 16, \x12ab`, -1},
		"another detail":             {"", "Key (o_id)=(13) already exists.", -1},
		"a number that is too large": {"COPY sales_out_item, line 99999999999999999999", "", -1},
		"nothing":                    {"", "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := atLine(&pgconn.PgError{Where: test.where}, rows)
			if test.detail != "" {
				err = atSequence(&pgconn.PgError{Detail: test.detail}, rows)
			}
			if got := culprit(err, rows); got != test.want {
				t.Errorf("row %d, want %d", got, test.want)
			}
		})
	}
	if plain := errors.New("plain"); atLine(plain, rows) != plain || atSequence(plain, rows) != plain { //nolint:errorlint // the very same
		t.Error("an error that is not the server's was changed")
	}
}
