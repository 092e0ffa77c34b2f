package record_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"juliu/pkg/record"
)

func hash(t rapid.TB, row string) record.Hash {
	t.Helper()
	r, _ := decode(t, []byte(row))
	return r.Hash
}

func TestRowsOfEqualContentHaveOneHash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, a, b string }{
		{"order of members", `"remark":"x","news":{"a":1,"b":2}`, `"news":{"b":2,"a":1},"remark":"x"`},
		{"white space", `"news":[1,{"a":2}]`, "\"news\" : [ 1 ,\n{ \"a\":\t2 } ]\r"},
		{"quotes around a number", `"news":1.50`, `"news":"1.50"`},
		{"quotes around a bool", `"news":true`, `"news":"true"`},
		{"null and absent", `"remark":null,"news":{"a":null}`, `"news":{}`},
		{"the empty text and absent", `"remark":"","news":[1]`, `"news":[1]`},
		{"the empty text and null in an array", `"news":[1,""]`, `"news":[1,null]`},
		{"escapes", `"n\u0065ws":"\u5f20\/"`, `"news":"张/"`},
		{"a value that a later one replaces", `"news":1,"news":2`, `"news":2`},
		{"a value that a later null replaces", `"news":1,"news":null`, `"x":null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if a, b := hash(t, string(members(c.a))), hash(t, string(members(c.b))); a != b {
				t.Errorf("%s and %s have different hashes", c.a, c.b)
			}
		})
	}
}

func TestRowsOfOtherContentHaveAnotherHash(t *testing.T) {
	t.Parallel()
	seen := make(map[record.Hash]string)
	for _, row := range []string{
		`"news":1`, `"news":1.0`, `"news":"1 "`, `"news":-1`, `"new":1`, `"News":1`, `"news":true`, `"news":"a"`, `"news":"A"`, `"news":" "`,
		`"news":[]`, `"news":{}`, `"news":[null]`, `"news":[null,null]`, `"news":[[]]`, `"news":[{}]`, `"news":{"a":{}}`, `"news":{"a":[]}`,
		`"news":["ab"]`, `"news":["a","b"]`, `"news":["b","a"]`, `"news":["a",["b"]]`, `"news":[["a"],"b"]`, `"news":[["a","b"]]`, `"news":["s1a"]`,
		`"news":{"a":"b"}`, `"news":{"ab":0}`, `"news":{"a":"b","c":"d"}`, `"news":{"a":{"b":1},"c":1}`, `"news":{"a":{"b":1,"c":1}}`,
		`"news":"\ud800"`, `"news":"\ud801"`, `"news":"\ufffd"`, "\"news\":\"\xb0\"", "\"news\":\"\xb1\"", `"news":"\u0000"`, `"news":NaN`,
	} {
		h := hash(t, string(members(row)))
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have one hash", row, other)
		}
		seen[h] = row
	}
}

// value is any JSON value; a leaf says something and has no members.
type value struct {
	leaf    string
	bare    bool // the leaf may stand without quotes
	names   []string
	members []*value
	array   bool
}

func drawValue(t *rapid.T, depth int) *value {
	kinds := []string{"number", "text"}
	if depth < 4 {
		kinds = append(kinds, "array", "object", "object")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "number":
		return &value{leaf: drawNumber(t), bare: true}
	case "text":
		return &value{leaf: rapid.StringN(1, 8, -1).Draw(t, "text")}
	case "array":
		v := &value{array: true}
		for range rapid.IntRange(0, 4).Draw(t, "length") {
			v.members = append(v.members, drawValue(t, depth+1))
		}
		return v
	}
	v := &value{names: rapid.SliceOfNDistinct(rapid.StringN(0, 6, -1), 0, 5, rapid.ID).Draw(t, "names")}
	for range v.names {
		v.members = append(v.members, drawValue(t, depth+1))
	}
	return v
}

func drawNumber(t *rapid.T) string {
	return rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
}

// write renders v as one of the many writers of JSON would.
func write(t *rapid.T, b *strings.Builder, v *value) {
	space := func() {
		b.WriteString(rapid.SampledFrom([]string{"", "", " ", "\n\t", "\r"}).Draw(t, "space"))
	}
	quote := func(s string) {
		if rapid.Bool().Draw(t, "escape") {
			b.WriteString(escapeAll(s))
			return
		}
		q, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(q)
	}
	space()
	switch {
	case v.leaf != "" && v.bare && rapid.Bool().Draw(t, "bare"):
		b.WriteString(v.leaf)
	case v.leaf != "":
		quote(v.leaf)
	default:
		order := make([]int, len(v.members))
		for i := range order {
			order[i] = i
		}
		open, closing := "[", "]"
		if !v.array {
			open, closing = "{", "}"
			order = rapid.Permutation(order).Draw(t, "order")
		}
		b.WriteString(open)
		for n, i := range order {
			if n > 0 {
				b.WriteByte(',')
			}
			if !v.array {
				space()
				quote(v.names[i])
				space()
				b.WriteByte(':')
			}
			write(t, b, v.members[i])
		}
		b.WriteString(closing)
	}
	space()
}

// escapeAll writes s as a JSON string with nothing but escapes.
func escapeAll(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, unit := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, unit)
	}
	b.WriteByte('"')
	return b.String()
}

func (v *value) leaves() []*value {
	if v.leaf != "" {
		return []*value{v}
	}
	var all []*value
	for _, m := range v.members {
		all = append(all, m.leaves()...)
	}
	return all
}

func render(t *rapid.T, v *value) string {
	var b strings.Builder
	write(t, &b, v)
	return fmt.Sprintf(`{"io_id":1,"ts":2,"news":%s}`, b.String())
}

func TestTheWriterDoesNotChangeTheHashAndAnyValueDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(t, 0)
		first, second := render(t, v), render(t, v)
		before := hash(t, first)
		if before != hash(t, second) {
			t.Fatalf("%s and %s have different hashes", first, second)
		}
		leaves := v.leaves()
		if len(leaves) == 0 {
			return
		}
		leaf := rapid.SampledFrom(leaves).Draw(t, "leaf")
		leaf.leaf += rapid.SampledFrom([]string{"0", " ", "x", "\x00"}).Draw(t, "change")
		leaf.bare = false
		if third := render(t, v); before == hash(t, third) {
			t.Fatalf("%s and %s have one hash", first, third)
		}
	})
}

func TestHashSurvivesItsText(t *testing.T) {
	t.Parallel()
	h := hash(t, `{"io_id":1,"ts":2}`)
	if got, err := record.ParseHash(h.String()); err != nil || got != h {
		t.Errorf("%v is read as %v, %v", h, got, err)
	}
	for _, s := range []string{"", "00", h.String() + "00", "x" + h.String()[1:]} {
		if _, err := record.ParseHash(s); err == nil {
			t.Errorf("%q is read as a hash", s)
		}
	}
}
