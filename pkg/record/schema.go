package record

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// Schema says how the rows of one resource become records: their type, and which of its fields identify a row and its version.
type Schema struct {
	// Resource is the kind of object, e.g. "sales-out".
	Resource string
	// New makes an empty payload, whose descriptor drives the decoding: its field names are the vendor's.
	New func() proto.Message
	// Key names the int64 field that identifies the object within a source.
	Key string
	// Shop names the int64 field with the shop.
	Shop string
	// TS names the int64 field with the row version.
	TS string
	// Modified names the Timestamp field with the modification time.
	Modified string
}

// SalesOut is the schema of orders.out.simple.query (销售出库查询).
func SalesOut() Schema {
	return Schema{
		Resource: "sales-out",
		New:      func() proto.Message { return new(jushuitanv1.SalesOutOrder) },
		Key:      "io_id",
		Shop:     "shop_id",
		TS:       "ts",
		Modified: "modified",
	}
}

// ErrNoIdentity is what every error of Decode is: the row cannot be placed on the stream, so dead-letter it by itself and go on with
// the page.
var ErrNoIdentity = errors.New("no usable identity")

// IdentityError says why a row has no usable identity. Its text holds no value of the row.
type IdentityError struct {
	// Resource is the kind of row.
	Resource string
	// Cause is what the row lacks.
	Cause error
}

// Error names the resource and the cause.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("decode %s row: %v: %v; see its bytes in the dead letters", e.Resource, ErrNoIdentity, e.Cause)
}

// Unwrap returns ErrNoIdentity and the cause.
func (e *IdentityError) Unwrap() []error { return []error{ErrNoIdentity, e.Cause} }

// Decode reads one row of a source, received at an instant. It carries every row that has a key and a version: null, "" and zero
// dates are unset, unknown members stay in Raw, numbers and strings stand for each other, and a value that still does not fit its
// field leaves it unset (a text with invalid UTF-8: set, with U+FFFD) and is named in Surprises, as is a field given twice, whose last
// value wins. A digit is never changed. Raw is a copy.
//
// The error is an *IdentityError: the row is not one complete JSON object, nests deeper than 64 levels, holds more than 1,048,576
// values, or has no positive key, or neither a positive row version nor a modification time. The record returned with it still has
// Source, Resource, Shop ("0" when unknown), FetchedAt and Raw, and Key when the row has one.
func (s Schema) Decode(source string, raw []byte, fetchedAt time.Time) (Record, error) {
	r := Record{Source: source, Resource: s.Resource, Shop: "0", FetchedAt: fetchedAt.UTC(), Raw: bytes.Clone(raw)}
	row, err := parse(string(raw))
	if err != nil {
		return r, &IdentityError{Resource: s.Resource, Cause: err}
	}
	r.Payload, r.Hash = s.New(), row.hash()
	m := r.Payload.ProtoReflect()
	d := decoder{tree: row}
	d.message(m, 0)
	r.Surprises = d.surprises

	if shop := number(m, s.Shop); shop != 0 {
		r.Shop = strconv.FormatInt(shop, 10)
	}
	r.Version = Version{TS: max(0, number(m, s.TS)), Modified: moment(m, s.Modified)}
	key := number(m, s.Key)
	if key <= 0 {
		return r, &IdentityError{Resource: s.Resource, Cause: fmt.Errorf("%s is not a positive whole number", s.Key)}
	}
	r.Key = strconv.FormatInt(key, 10)
	if r.Version.IsZero() {
		return r, &IdentityError{Resource: s.Resource, Cause: fmt.Errorf("neither %s nor %s tells the version", s.TS, s.Modified)}
	}
	return r, nil
}

// number is an int64 field's value, 0 when it is unset.
func number(m protoreflect.Message, name string) int64 {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if fd == nil || fd.Kind() != protoreflect.Int64Kind {
		return 0
	}
	return m.Get(fd).Int()
}

// moment is a Timestamp field's value, the zero time when it is unset.
func moment(m protoreflect.Message, name string) time.Time {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if fd == nil || !m.Has(fd) {
		return time.Time{}
	}
	t, _ := m.Get(fd).Message().Interface().(*timestamppb.Timestamp)
	return timeOf(t)
}
