package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/reflect/protoreflect"

	"juliu/pkg/record"
)

// schema holds every table, whatever the user's search_path.
const schema = "juliu"

// table is where the records of one resource go: a row for each key, and the rows of its lists in child tables. The payload's
// descriptor is the list of columns.
type table struct {
	resource record.Schema
	name     string
	columns  []column
	children []child
	// header are the names of all columns: those of common, and columns.
	header []string
	// find takes arrays of sources and keys, and returns those that are stored.
	find string
	// upsert takes an array for each column of header, and returns source and key of the rows that it wrote.
	upsert string
	// force is upsert that also replaces rows of an equal version.
	force string
}

// child is the table of one list of the payload. Its rows are replaced as a set.
type child struct {
	list    protoreflect.FieldDescriptor
	name    string
	columns []column
	// header are the names of all columns: source, key, position, and columns.
	header []string
	// remove deletes the rows of a source ($1) and keys ($2).
	remove string
}

// column is one field of the vendor's.
type column struct {
	field protoreflect.FieldDescriptor
	name  string
	// sqlType is the type of the column.
	sqlType string
}

// Types of columns.
const (
	typeNumeric = "numeric"
	typeText    = "text"
)

// common are the columns that every table of records begins with, and their types in the arrays of upsert: surprises is an array by
// itself, which cannot stand in one.
func common() [][2]string {
	return [][2]string{
		{"source", typeText},
		{"sequence", "bigint"},
		{"content_hash", "bytea"},
		{"fetched_at", "timestamptz"},
		{"published_at", "timestamptz"},
		{"surprises", typeText},
		{"raw", "bytea"},
	}
}

// newTable maps the payload of a resource. children names the table of each list, decimals the fields that are decimal numbers.
func newTable(resource record.Schema, name string, children map[string]string, decimals []string) table {
	t := table{resource: resource, name: name}
	isDecimal := map[string]bool{}
	for _, field := range decimals {
		isDecimal[field] = true
	}
	message := resource.New().ProtoReflect().Descriptor()
	t.columns = columnsOf(message, isDecimal)
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if !field.IsList() {
			continue
		}
		c := child{list: field, name: children[string(field.Name())], columns: columnsOf(field.Message(), isDecimal)}
		c.header = []string{"source", resource.Key, "position"}
		for i := range c.columns {
			if c.columns[i].name == resource.Key {
				c.columns[i].name = "own_" + resource.Key
			}
			c.header = append(c.header, c.columns[i].name)
		}
		c.remove = fmt.Sprintf("DELETE FROM %s WHERE source = $1 AND %s = ANY ($2)", quote(schema, c.name), quote(resource.Key))
		t.children = append(t.children, c)
	}
	for _, c := range common() {
		t.header = append(t.header, c[0])
	}
	for _, c := range t.columns {
		t.header = append(t.header, c.name)
	}
	t.find = fmt.Sprintf("SELECT source, %[1]s FROM %[2]s JOIN unnest($1::text[], $2::bigint[]) AS given (source, %[1]s) USING (source, %[1]s)",
		quote(resource.Key), quote(schema, name))
	t.upsert, t.force = t.upsertSQL(">"), t.upsertSQL(">=")
	return t
}

// columnsOf are the fields of a message that are no lists.
func columnsOf(message protoreflect.MessageDescriptor, isDecimal map[string]bool) []column {
	var all []column
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if field.IsList() {
			continue
		}
		c := column{field: field, name: string(field.Name()), sqlType: typeText}
		switch {
		case field.Kind() == protoreflect.Int64Kind:
			c.sqlType = "bigint"
		case field.Kind() == protoreflect.BoolKind:
			c.sqlType = "boolean"
		case field.Kind() == protoreflect.MessageKind:
			c.sqlType = "timestamptz"
		case isDecimal[c.name]:
			c.sqlType = typeNumeric
		}
		all = append(all, c)
	}
	return all
}

// upsertSQL inserts rows, or replaces those than which they are newer, ">", or newer or equal, ">=". Which is newer is what
// record.Version.Compare says, then the place on the stream.
func (t table) upsertSQL(newer string) string {
	var names, values, arrays, sets []string
	add := func(name, value, sqlType string) {
		names = append(names, quote(name))
		values = append(values, value)
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", len(names), sqlType))
		sets = append(sets, fmt.Sprintf("%[1]s = excluded.%[1]s", quote(name)))
	}
	for _, c := range common() {
		value := quote(c[0])
		if c[0] == "surprises" {
			value = "string_to_array(surprises, ' ')"
		}
		add(c[0], value, c[1])
	}
	for _, c := range t.columns {
		add(c.name, quote(c.name), c.sqlType)
	}
	columns := strings.Join(names, ", ")
	return fmt.Sprintf(`INSERT INTO %[1]s AS stored (%[2]s)
SELECT %[3]s FROM unnest(%[4]s) AS given (%[2]s)
ON CONFLICT (source, %[5]s) DO UPDATE SET %[6]s
WHERE CASE WHEN excluded.%[7]s > 0 AND stored.%[7]s > 0
THEN (excluded.%[7]s, excluded.sequence) %[9]s (stored.%[7]s, stored.sequence)
ELSE (coalesce(excluded.%[8]s, '-infinity'), excluded.sequence) %[9]s (coalesce(stored.%[8]s, '-infinity'), stored.sequence) END
RETURNING source, %[5]s`,
		quote(schema, t.name), columns, strings.Join(values, ", "), strings.Join(arrays, ", "), quote(t.resource.Key),
		strings.Join(sets, ", "), quote(t.resource.TS), quote(t.resource.Modified), newer)
}

// isForeign reports a column of one of the tables that is not in its header.
func (t table) isForeign(name, column string) bool {
	if name == t.name {
		return !slices.Contains(t.header, column)
	}
	return slices.ContainsFunc(t.children, func(c child) bool { return name == c.name && !slices.Contains(c.header, column) })
}

func quote(names ...string) string { return pgx.Identifier(names).Sanitize() }
