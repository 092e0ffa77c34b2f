package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"pgregory.net/rapid"

	"juliu/pkg/record"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// fetchedAt is when the tests receive their rows.
func fetchedAt() time.Time { return time.Date(2026, 11, 12, 8, 30, 0, 123456789, time.UTC) }

// members makes a row with an identity and the members given, e.g. `"qty":1`.
func members(s string) []byte { return []byte(`{"io_id":1,"ts":2,` + s + `}`) }

func decode(tb rapid.TB, row []byte) (record.Record, *jushuitanv1.SalesOutOrder) {
	tb.Helper()
	r, err := record.SalesOut().Decode("main", row, fetchedAt())
	if err != nil {
		tb.Fatalf("decode %q: %v", row, err)
	}
	return r, order(tb, r)
}

func order(tb rapid.TB, r record.Record) *jushuitanv1.SalesOutOrder {
	tb.Helper()
	o, ok := r.Payload.(*jushuitanv1.SalesOutOrder)
	if !ok {
		tb.Fatalf("payload is a %T", r.Payload)
	}
	return o
}

// refuse decodes a row that has no identity and returns why.
func refuse(tb rapid.TB, row []byte) (record.Record, *record.IdentityError) {
	tb.Helper()
	r, err := record.SalesOut().Decode("main", row, fetchedAt())
	var identity *record.IdentityError
	if !errors.As(err, &identity) || !errors.Is(err, record.ErrNoIdentity) {
		tb.Fatalf("decode of %.80q: error %v, want an *IdentityError", row, err)
	}
	return r, identity
}

func fixture(tb rapid.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
