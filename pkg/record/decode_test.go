package record_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	jushuitanv1 "juliu/proto/jushuitan/v1"
)

type (
	orderRow = jushuitanv1.SalesOutOrder
	itemRow  = jushuitanv1.SalesOutItem
)

// scenario is a row's members and what becomes of them.
type scenario struct {
	name      string
	members   string
	want      *orderRow
	surprises []string
}

func run(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			row := members(s.members)
			r, got := decode(t, row)
			want := proto.CloneOf(s.want)
			want.IoId, want.Ts = new(int64(1)), new(int64(2))
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			if !slices.Equal(r.Surprises, s.surprises) {
				t.Errorf("surprises %q, want %q", r.Surprises, s.surprises)
			}
			if string(r.Raw) != string(row) {
				t.Errorf("raw %q, want %q", r.Raw, row)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	text := func(s string) *orderRow { return &orderRow{Remark: &s} }
	run(t, []scenario{
		{"a text stands as it is", `"remark":" 加急 \"x\" "`, text(` 加急 "x" `), nil},
		{"null is unset", `"remark":null`, &orderRow{}, nil},
		{"the empty text is unset", `"remark":""`, &orderRow{}, nil},
		{"a text that says null is a text", `"remark":"null"`, text("null"), nil},
		{"escapes are resolved", `"remark":"\u52a0\t\/\\\b\f\n\r\ud83d\ude00"`, text("加\t/\\\b\f\n\r😀"), nil},
		{"a NUL is kept", `"remark":"a\u0000b"`, text("a\x00b"), nil},
		{"raw control characters are kept", "\"remark\":\"a\tb\x01\\n\x00c\nd\"", text("a\tb\x01\n\x00c\nd"), nil},
		{"an unknown escape stands as written", `"remark":"\x41 \u12 \u+123"`, text(`\x41 \u12 \u+123`), nil},
		{"a number is its own text", `"remark":12.50`, text("12.50"), nil},
		{"a bool is its own text", `"remark":true`, text("true"), nil},
		{"invalid UTF-8 is replaced and named", "\"remark\":\"a\xb0\xa1b\"", text("a\ufffdb"), []string{"remark"}},
		{"a lone high surrogate is replaced and named", `"remark":"a\ud800b"`, text("a\ufffdb"), []string{"remark"}},
		{"a lone low surrogate is replaced and named", `"remark":"\udc00\u0041"`, text("\ufffdA"), []string{"remark"}},
		{"surrogates in the wrong order are replaced", `"remark":"\udc00x\ud83d\u0041"`, text("\ufffdx\ufffdA"), []string{"remark"}},
		{"an object is no text", `"remark":{"a":"b"}`, &orderRow{}, []string{"remark"}},
		{"an array is no text", `"remark":["a"]`, &orderRow{}, []string{"remark"}},
		{"a word that JSON does not know is no text", `"remark":NaN`, &orderRow{}, []string{"remark"}},
		{"a status keeps its trailing blank", `"status":"Archive "`, &orderRow{Status: new("Archive ")}, nil},
	})
}

func TestMoney(t *testing.T) {
	t.Parallel()
	var scenarios []scenario
	for _, digits := range []string{
		"706.0", "706", "0.10", "-0", "-0.00", "1e3", "1E+3", "0.30000000000000004", "9007199254740993", "1234567890123456789012345678901234567890.12345",
	} {
		want := &orderRow{PayAmount: &digits}
		scenarios = append(
			scenarios,
			scenario{digits + " as a number keeps every digit", `"pay_amount":` + digits, want, nil},
			scenario{digits + " as a text keeps every digit", `"pay_amount":"` + digits + `"`, want, nil},
		)
	}
	run(t, append(
		scenarios,
		scenario{"a number that JSON does not know stays in raw", `"pay_amount":007`, &orderRow{}, []string{"pay_amount"}},
		scenario{"not a number stays in raw", `"pay_amount":-Infinity`, &orderRow{}, []string{"pay_amount"}},
	))
}

func TestWholeNumbers(t *testing.T) {
	t.Parallel()
	number := func(n int64) *orderRow { return &orderRow{OId: &n} }
	unset := &orderRow{}
	surprise := []string{"o_id"}
	run(t, []scenario{
		{"a number", `"o_id":36008`, number(36008), nil},
		{"a number in quotes", `"o_id":"36008"`, number(36008), nil},
		{"blanks around it", `"o_id":" 36008 "`, number(36008), nil},
		{"zero is set", `"o_id":0`, number(0), nil},
		{"a negative one", `"o_id":-7`, number(-7), nil},
		{"past 2^53 exactly", `"o_id":9007199254740993`, number(9007199254740993), nil},
		{"the largest of 64 bits", `"o_id":9223372036854775807`, number(9223372036854775807), nil},
		{"the smallest of 64 bits", `"o_id":"-9223372036854775808"`, number(-9223372036854775808), nil},
		{"a fraction of zeros", `"o_id":12.00`, number(12), nil},
		{"a fraction of zeros in quotes", `"o_id":"12.0"`, number(12), nil},
		{"null is unset", `"o_id":null`, unset, nil},
		{"the empty text is unset", `"o_id":""`, unset, nil},
		{"a text of blanks is unset", `"o_id":"  "`, unset, nil},
		{"more than 64 bits is refused", `"o_id":9223372036854775808`, unset, surprise},
		{"a true fraction is refused", `"o_id":12.5`, unset, surprise},
		{"a dot without digits is refused", `"o_id":"12."`, unset, surprise},
		{"an exponent is refused", `"o_id":1e3`, unset, surprise},
		{"minus zero is refused", `"o_id":-0`, unset, surprise},
		{"a leading zero is refused", `"o_id":"007"`, unset, surprise},
		{"a plus is refused", `"o_id":"+7"`, unset, surprise},
		{"an underscore is refused", `"o_id":"1_000"`, unset, surprise},
		{"words are refused", `"o_id":"seven"`, unset, surprise},
		{"a bool is refused", `"o_id":true`, unset, surprise},
		{"an array is refused", `"o_id":[7]`, unset, surprise},
	})
}

func TestBools(t *testing.T) {
	t.Parallel()
	var scenarios []scenario
	for literal, want := range map[string]bool{
		`true`: true, `1`: true, `"1"`: true, `"true"`: true, `"TRUE"`: true, `" True "`: true,
		`false`: false, `0`: false, `"0"`: false, `"false"`: false, `"False"`: false,
	} {
		scenarios = append(scenarios, scenario{literal, `"is_cod":` + literal, &orderRow{IsCod: &want}, nil})
	}
	for _, literal := range []string{`2`, `"yes"`, `-1`, `{}`, `[true]`, `True`} {
		scenarios = append(scenarios, scenario{literal + " is refused", `"is_cod":` + literal, &orderRow{}, []string{"is_cod"}})
	}
	run(t, append(
		scenarios,
		scenario{"null is unset", `"is_cod":null`, &orderRow{}, nil},
		scenario{"the empty text is unset", `"is_cod":""`, &orderRow{}, nil},
	))
}

func TestMembers(t *testing.T) {
	t.Parallel()
	one, two := new("1"), new("2")
	run(t, []scenario{
		{"an unknown member is ignored", `"vendor_news":{"a":[1,{"b":null}]}`, &orderRow{}, nil},
		{"a member in another case is unknown", `"Remark":"1","REMARK":"2"`, &orderRow{}, nil},
		{"a member known in capitals", `"ClusterInfos":[{"l_id":"1"}]`, &orderRow{ClusterInfos: []*jushuitanv1.Parcel{{LId: one}}}, nil},
		{"an escaped name is the same name", `"re\u006dark":"1"`, &orderRow{Remark: one}, nil},
		{"the last of two counts", `"remark":"1","remark":"2"`, &orderRow{Remark: two}, []string{"remark"}},
		{"null as the last of two unsets", `"remark":"1","remark":null`, &orderRow{}, []string{"remark"}},
		{"null as the first of two", `"remark":null,"remark":"2"`, &orderRow{Remark: two}, []string{"remark"}},
		{"three of one name are named once", `"remark":"1","remark":"1","remark":"2"`, &orderRow{Remark: two}, []string{"remark"}},
		{"an unknown member given twice is not named", `"news":"1","news":"2"`, &orderRow{}, nil},
		{
			"the last of two lists replaces the first", `"items":[{"qty":1},{"qty":1}],"items":[{"qty":2}]`,
			&orderRow{Items: []*itemRow{{Qty: two}}},
			[]string{"items"},
		},
	})
}

func TestLists(t *testing.T) {
	t.Parallel()
	one, two := &itemRow{Qty: new("1")}, &itemRow{Qty: new("2")}
	run(t, []scenario{
		{"an empty array", `"items":[]`, &orderRow{}, nil},
		{"null for an array", `"items":null`, &orderRow{}, nil},
		{"the empty text for an array", `"items":""`, &orderRow{}, nil},
		{"the empty object for an array", `"items":{}`, &orderRow{}, nil},
		{"an object for an array is its one element", `"items":{"qty":1}`, &orderRow{Items: []*itemRow{one}}, nil},
		{"elements keep their order", `"items":[{"qty":1},{"qty":2}]`, &orderRow{Items: []*itemRow{one, two}}, nil},
		{"an empty element is an element", `"items":[{}]`, &orderRow{Items: []*itemRow{{}}}, nil},
		{"null elements are left out", `"items":[null,{"qty":1},""]`, &orderRow{Items: []*itemRow{one}}, nil},
		{
			"elements of another type are left out and named by their place", `"items":[7,{"qty":1},[],"x",{"qty":2}]`,
			&orderRow{Items: []*itemRow{one, two}},
			[]string{"items[0]", "items[2]", "items[3]"},
		},
		{
			"a field inside is named with its way there", `"items":[{"qty":1},{"qty":{},"ioi_id":"x"}],"batchs":[{"ioi_id":[]}]`,
			&orderRow{Items: []*itemRow{one, {}}, Batchs: []*jushuitanv1.SalesOutBatch{{}}},
			[]string{"items[1].qty", "items[1].ioi_id", "batchs[0].ioi_id"},
		},
		{"a text for an array is named", `"items":"[]"`, &orderRow{}, []string{"items"}},
		{"a number for an array is named", `"items":0`, &orderRow{}, []string{"items"}},
	})
}

func TestSurprisesAreAtMost32(t *testing.T) {
	t.Parallel()
	r, o := decode(t, members(`"items":[`+strings.Repeat(`{"qty":[]},`, 99)+`{"qty":1}]`))
	if len(r.Surprises) != 32 || r.Surprises[31] != "items[31].qty" || len(o.GetItems()) != 100 {
		t.Errorf("%d surprises %q, %d items", len(r.Surprises), r.Surprises, len(o.GetItems()))
	}
}
