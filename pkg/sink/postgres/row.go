package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// maxSurprises bounds what is noted of one record, as in record.Record.
const maxSurprises = 32

// identity is whose version a row is.
type identity struct {
	source string
	key    int64
}

// row is a record as its tables take it.
type row struct {
	identity

	// index is the record's place in the batch.
	index   int
	version record.Version
	// sequence breaks ties of version.
	sequence uint64
	// values are those of common and of the table's columns.
	values []any
	// lists are, for each child table, its rows.
	lists [][][]any
}

// newer reports whether r replaces s, which has the same key. Times count as the database holds them, in microseconds.
func (r row) newer(s row) bool {
	if c := r.version.Compare(s.version); c != 0 {
		return c > 0
	}
	return r.sequence > s.sequence
}

// encoder turns one record into a row and notes what does not fit.
type encoder struct {
	// list and position are where the message at hand stands; list is "" for the record itself.
	list      protoreflect.Name
	position  int
	surprises []string
}

// encode makes the row of a record. The error is ErrRejected: the record is not one of the table's.
func (t table) encode(index int, r record.Record) (row, error) {
	if r.Payload == nil || r.Payload.ProtoReflect().Descriptor() != t.resource.New().ProtoReflect().Descriptor() {
		return row{}, fmt.Errorf("%w: its payload is not that of a %s record; upgrade this program and replay", sink.ErrRejected, t.resource.Resource)
	}
	m := r.Payload.ProtoReflect()
	key := m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(t.resource.Key))).Int()
	if strconv.FormatInt(key, 10) != r.Key {
		return row{}, fmt.Errorf("%w: its key is not the %s of its payload", sink.ErrRejected, t.resource.Key)
	}
	version := r.Version
	version.Modified = version.Modified.Truncate(time.Microsecond)
	e := encoder{surprises: slices.Clone(r.Surprises)}
	source := e.text(r.Source, "source")
	out := row{
		identity: identity{source, key}, index: index, version: version, sequence: r.Sequence, lists: make([][][]any, len(t.children)),
	}
	values := e.message(nil, m, t.columns)
	for i, c := range t.children {
		list := m.Get(c.list).List()
		for position := range list.Len() {
			e.list, e.position = c.list.Name(), position
			out.lists[i] = append(out.lists[i], e.message([]any{source, key, position}, list.Get(position).Message(), c.columns))
		}
	}
	sequence := int64(r.Sequence) //nolint:gosec // a stream counts from 1
	out.values = append([]any{
		source, sequence, r.Hash[:], moment(r.FetchedAt), moment(r.Published), append([]string{}, e.surprises...), r.Raw,
	}, values...)
	return out, nil
}

// message appends the values of a message's columns.
func (e *encoder) message(values []any, m protoreflect.Message, columns []column) []any {
	values = slices.Grow(values, len(columns))
	for _, c := range columns {
		if m.Has(c.field) {
			values = append(values, e.value(c, m.Get(c.field)))
		} else {
			values = append(values, nil)
		}
	}
	return values
}

// value is what the column holds; nil for what does not fit it.
func (e *encoder) value(c column, v protoreflect.Value) any {
	switch {
	case c.sqlType == typeText:
		return e.text(v.String(), c.field.Name())
	case c.sqlType == typeNumeric:
		n, ok := decimal(v.String())
		if !ok {
			e.surprise(c.field.Name())
			return nil
		}
		return n
	case c.field.Message() == nil:
		return v.Interface()
	}
	t, _ := v.Message().Interface().(*timestamppb.Timestamp)
	return t.AsTime()
}

// text is s without U+0000, which no text of PostgreSQL can hold.
func (e *encoder) text(s string, name protoreflect.Name) string {
	if !strings.Contains(s, "\x00") {
		return s
	}
	e.surprise(name)
	return strings.ReplaceAll(s, "\x00", "")
}

// surprise notes a field as record.Record does, e.g. "items[2].qty".
func (e *encoder) surprise(name protoreflect.Name) {
	path := string(name)
	if e.list != "" {
		path = fmt.Sprintf("%s[%d].%s", e.list, e.position, name)
	}
	if len(e.surprises) < maxSurprises && !slices.Contains(e.surprises, path) {
		e.surprises = append(e.surprises, path)
	}
}

// moment is nil for the zero time.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
