package postgres_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wantedColumns reads the .proto: a field whose comment says "decimal" is a numeric.
func wantedColumns(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile(root + "/proto/jushuitan/v1/sales_out.proto")
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	add := func(table, name, sqlType string) { columns = append(columns, table+"."+name+" "+sqlType) }
	messages := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)message (\w+) \{(.*?)\n\}`).FindAllStringSubmatch(string(source), -1) {
		messages[m[1]] = m[2]
	}
	field := regexp.MustCompile(`(?m)^  // (.*)\n(?:  // buf:.*\n)?  (optional |repeated )?([\w.]+) (\w+) = \d+(?: \[[^\]]*\])?;`)
	types := map[string]string{"int64": "bigint", "bool": "boolean", "google.protobuf.Timestamp": "timestamp with time zone", "string": "text"}
	fields := func(table, message string) {
		for _, f := range field.FindAllStringSubmatch(messages[message], -1) {
			comment, repeated, kind, name := f[1], f[2] == "repeated ", f[3], f[4]
			sqlType := types[kind]
			if kind == "string" && regexp.MustCompile(`\bdecimal\b`).MatchString(comment) {
				sqlType = "numeric"
			}
			if table != "sales_out_order" && name == "io_id" {
				name = "own_io_id"
			}
			if !repeated {
				add(table, name, sqlType)
			}
		}
	}
	for name, sqlType := range map[string]string{
		"source": "text", "sequence": "bigint", "content_hash": "bytea", "fetched_at": types["google.protobuf.Timestamp"],
		"published_at": types["google.protobuf.Timestamp"], "surprises": "ARRAY", "raw": "bytea",
	} {
		add("sales_out_order", name, sqlType)
	}
	fields("sales_out_order", "SalesOutOrder")
	children := map[string]string{"items": "item", "batchs": "batch", "sns": "serial", "ClusterInfos": "parcel"}
	for _, f := range field.FindAllStringSubmatch(messages["SalesOutOrder"], -1) {
		if f[2] != "repeated " {
			continue
		}
		name := children[f[4]]
		if strings.HasPrefix(f[4], "cb_") {
			name = f[4]
		}
		table := "sales_out_" + name
		add(table, "source", "text")
		add(table, "io_id", "bigint")
		add(table, "position", "integer")
		fields(table, f[3])
	}
	slices.Sort(columns)
	return columns
}
