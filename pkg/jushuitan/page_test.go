package jushuitan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"juliu/pkg/jushuitan"
)

func decode(gateway jushuitan.Gateway, body string) (jushuitan.Page, error) {
	return jushuitan.Decode(gateway, http.StatusOK, nil, []byte(body))
}

func rows(p jushuitan.Page) []string {
	var texts []string
	for _, row := range p.Rows {
		texts = append(texts, string(row))
	}
	return texts
}

func TestRowsAreTheBytesReceived(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		datas string
		want  []string
	}{
		"no rows":                     {`[]`, nil},
		"no rows but blanks":          {"[ \r\n\t]", nil},
		"null":                        {`null`, nil},
		"one row":                     {`[{"io_id":166}]`, []string{`{"io_id":166}`}},
		"blanks kept inside a row":    {"[ { \"io_id\" : 166 }\n,\t{} ]", []string{`{ "io_id" : 166 }`, `{}`}},
		"brackets inside strings":     {`[{"a":"]}"},{"b":"[{\""},{"c":"\\"}]`, []string{`{"a":"]}"}`, `{"b":"[{\""}`, `{"c":"\\"}`}},
		"nested rows":                 {`[{"items":[{"batchs":[[]]},{}]},{"sns":[]}]`, []string{`{"items":[{"batchs":[[]]},{}]}`, `{"sns":[]}`}},
		"elements that are no rows":   {`[null,7,"x",[1],true,{}]`, []string{`null`, `7`, `"x"`, `[1]`, `true`, `{}`}},
		"a raw control character":     {"[{\"remark\":\"a\x00\nb\"},{}]", []string{"{\"remark\":\"a\x00\nb\"}", `{}`}},
		"invalid UTF-8 and GBK":       {"[{\"remark\":\"\xc4\xe3\xff\"},{}]", []string{"{\"remark\":\"\xc4\xe3\xff\"}", `{}`}},
		"a lone surrogate":            {`[{"remark":"\ud83d"},{}]`, []string{`{"remark":"\ud83d"}`, `{}`}},
		"values that are not JSON":    {`[{"a":NaN,"b":'x,"c":01,,},{}]`, []string{`{"a":NaN,"b":'x,"c":01,,}`, `{}`}},
		"a number's own digits":       {`[{"pay_amount":706.00,"ts":9007199254740993}]`, []string{`{"pay_amount":706.00,"ts":9007199254740993}`}},
		"the same member given twice": {`[{"a":1,"a":2}]`, []string{`{"a":1,"a":2}`}},
	}
	forms := map[string]string{
		"where openapi puts them":          `{"code":0,"msg":"执行成功","data":{"page_index":1,"datas":%s,"page_size":50}}`,
		"where partner puts them":          `{"page_size":"50","page_index":"1","datas":%s,"code":0,"issuccess":true,"msg":""}`,
		"beside a data of null":            `{"code":"0","data":null,"page_index":1,"page_size":50,"datas":%s}`,
		"beside a data without them":       `{"code":0,"data":{},"page_index":1,"page_size":50,"datas":%s}`,
		"behind a mark, and blanks around": "\xef\xbb\xbf \n{ \"code\" : 0 , \"data\" : { \"page_index\":1,\"page_size\":50,\"datas\" : %s } } \n",
		"behind members that are not JSON": `{"x":NaN,"code":0,"data":{"has_next":undefined,"page_index":1,"page_size":50,"datas":%s}}`,
	}
	for name, c := range cases {
		for place, form := range forms {
			t.Run(name+" "+place, func(t *testing.T) {
				t.Parallel()
				for _, gateway := range gateways() {
					body := fmt.Sprintf(form, c.datas)
					got, err := decode(gateway, body)
					if err != nil {
						t.Fatalf("%s: %v", body, err)
					}
					if diff := cmp.Diff(c.want, rows(got)); diff != "" || got.Index != 1 || got.Size != 50 {
						t.Errorf("%s: page %d of %d: %s", body, got.Index, got.Size, diff)
					}
				}
			})
		}
	}
}

func TestAnswersThatAreNoPage(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body string
		kind jushuitan.Kind
	}{
		"nothing":                       {"", jushuitan.Cut},
		"blanks":                        {" \n", jushuitan.Cut},
		"half a mark":                   {"\xef\xbb", jushuitan.NotJSON},
		"a cut within a row":            {`{"code":0,"data":{"datas":[{"a":1},{"b"`, jushuitan.Cut},
		"a cut between rows":            {`{"code":0,"data":{"datas":[{"a":1},`, jushuitan.Cut},
		"a cut behind the rows":         {`{"code":0,"data":{"datas":[{"a":1}]}`, jushuitan.Cut},
		"a cut within a string":         {`{"code":0,"data":{"datas":[{"a":"]}}`, jushuitan.Cut},
		"a cut at an escape":            {`{"code":0,"msg":"\`, jushuitan.Cut},
		"a cut within the code":         {`{"data":{"datas":[]},"code":"`, jushuitan.Cut},
		"a cut before the code":         {`{"data":{"datas":[]},"code`, jushuitan.Cut},
		"brackets that do not match":    {`{"code":0,"data":{"datas":[{"a":1]}}}`, jushuitan.NotJSON},
		"brackets crossed in a row":     {`{"code":0,"data":{"datas":[{"a":[1}]]}}`, jushuitan.NotJSON},
		"rows without a comma":          {`{"code":0,"data":{"datas":[{} {}]}}`, jushuitan.NotJSON},
		"a comma without a row":         {`{"code":0,"data":{"datas":[{},]}}`, jushuitan.NotJSON},
		"two documents":                 {`{"code":0}{"code":0}`, jushuitan.NotJSON},
		"a page behind the document":    {`{"code":0}<html>`, jushuitan.NotJSON},
		"an array":                      {`[{"code":0}]`, jushuitan.NotJSON},
		"a string":                      {`"code"`, jushuitan.NotJSON},
		"an empty object":               {`{}`, jushuitan.NotJSON},
		"rows without a code":           {`{"data":{"datas":[{}]}}`, jushuitan.NotJSON},
		"a code of null":                {`{"code":null,"datas":[]}`, jushuitan.NotJSON},
		"a code that is no number":      {`{"code":"ok","datas":[]}`, jushuitan.NotJSON},
		"a code that is a list":         {`{"code":[0],"datas":[]}`, jushuitan.NotJSON},
		"a code too large to be one":    {`{"code":99999999999999999999,"datas":[]}`, jushuitan.NotJSON},
		"a code of nested depth":        {`{"x":{"code":0},"datas":[]}`, jushuitan.NotJSON},
		"keys without quotes":           {`{code:0,datas:[]}`, jushuitan.NotJSON},
		"rows that are an object":       {`{"code":0,"data":{"datas":{"0":{}}}}`, jushuitan.NotJSON},
		"rows that are a string":        {`{"code":0,"data":{"datas":"[]"}}`, jushuitan.NotJSON},
		"data that is a list":           {`{"code":0,"data":[{}]}`, jushuitan.NotJSON},
		"data that is a string":         {`{"code":0,"data":"{}"}`, jushuitan.NotJSON},
		"a refusal with a success code": {`{"code":0,"issuccess":false,"msg":"执行失败"}`, jushuitan.Unknown},
		"the last of two codes":         {`{"code":0,"code":190,"data":{"datas":[]}}`, jushuitan.NotGranted},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, gateway := range gateways() {
				got, err := decode(gateway, c.body)
				if e := failure(t, err); e.Kind != c.kind || got.Rows != nil {
					t.Errorf("got %s with %d rows, want %s", e.Kind, len(got.Rows), c.kind)
				}
			}
		})
	}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	number, yes, no := func(n int) *int { return &n }, true, false
	cases := map[string]struct {
		members string
		want    jushuitan.Page
	}{
		"numbers": {
			`"page_index":2,"page_size":50,"data_count":115,"page_count":3,"has_next":true,`,
			jushuitan.Page{Index: 2, Size: 50, DataCount: number(115), PageCount: number(3), HasNext: &yes},
		},
		"numbers as strings": {
			`"page_index":"2","page_size":" 50","data_count":"0","page_count":"0","has_next":"False",`,
			jushuitan.Page{Index: 2, Size: 50, DataCount: number(0), PageCount: number(0), HasNext: &no},
		},
		"a flag of 0":        {`"has_next":0,`, jushuitan.Page{HasNext: &no}},
		"a flag of 1":        {`"has_next":"1",`, jushuitan.Page{HasNext: &yes}},
		"nothing said":       {``, jushuitan.Page{}},
		"nulls":              {`"page_index":null,"data_count":null,"page_count":null,"has_next":null,`, jushuitan.Page{}},
		"empty strings":      {`"page_index":"","data_count":"","page_count":"","has_next":"",`, jushuitan.Page{}},
		"senseless numbers":  {`"page_index":-1,"data_count":-5,"page_count":1e300,"has_next":2,`, jushuitan.Page{}},
		"objects, not flags": {`"page_index":{},"data_count":[3],"page_count":true,"has_next":{},`, jushuitan.Page{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, form := range []string{`{"code":0,"data":{%s"datas":null}}`, `{"code":0,%s"datas":null}`} {
				got, err := decode(jushuitan.Partner, fmt.Sprintf(form, c.members))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestServerTimeIsTheAnswersDate(t *testing.T) {
	t.Parallel()
	header := http.Header{"Date": {"Mon, 23 Nov 2026 10:00:00 GMT"}}
	got, err := jushuitan.Decode(jushuitan.OpenAPI, http.StatusOK, header, []byte(`{"code":0}`))
	if want := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC); err != nil || !got.ServerTime.Equal(want) {
		t.Errorf("got %s, %v", got.ServerTime, err)
	}
	if got, err = decode(jushuitan.OpenAPI, `{"code":0}`); err != nil || !got.ServerTime.IsZero() {
		t.Errorf("got %s, %v", got.ServerTime, err)
	}
}

func TestRowsShareNoMemory(t *testing.T) {
	t.Parallel()
	got, err := decode(jushuitan.OpenAPI, `{"code":0,"data":{"datas":[{"a":1},{"b":2}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	got.Rows[0] = append(got.Rows[0], "xxxxxxxxxx"...)
	if string(got.Rows[1]) != `{"b":2}` {
		t.Errorf("the second row became %s", got.Rows[1])
	}
}

func TestAPageShowsNoRowToFmt(t *testing.T) {
	t.Parallel()
	got, err := decode(jushuitan.OpenAPI, page)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %s", got, &got, got); strings.Contains(text, "io_id") {
		t.Error(text)
	}
}

func TestEveryCutOfEveryPageIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(0, 8, -1), rapid.StringOfN(rapid.SampledFrom([]rune(`{}[]",:\n`)), 0, 8, -1))
		var want []string
		for _, member := range rapid.SliceOfN(rapid.MapOfN(text, text, 0, 3), 0, 3).Draw(t, "rows") {
			row, err := json.Marshal(member)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(row))
		}
		body := `{"code":0,"data":{"datas":[` + strings.Join(want, ",") + `]}}`
		got, err := decode(jushuitan.OpenAPI, body)
		if diff := cmp.Diff(want, rows(got)); err != nil || diff != "" {
			t.Fatalf("%s: %v %s", body, err, diff)
		}
		for cut := range body {
			if _, err := decode(jushuitan.OpenAPI, body[:cut]); err == nil {
				t.Fatalf("a cut after %d bytes is taken for a page: %s", cut, body[:cut])
			}
		}
	})
}

func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		page, success, "", `{"code":"0","datas":[{"a":"\\\"]"},null,7]}`, "\xef\xbb\xbf{\"code\":0,\"data\":null}", `{"code":0,"data":{"datas":[[]]}}`,
		`{"code":0,"\u0064ata":{"datas":[{}]}}`, `{"code":0,"code":1}`, `{"code":0,"data":{"datas":[1,]}}`,
	} {
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	f.Fuzz(func(t *testing.T, body []byte, cut uint16) {
		for _, gateway := range gateways() {
			got, err := jushuitan.Decode(gateway, http.StatusOK, nil, body)
			if err != nil {
				_ = failure(t, err)
				continue
			}
			rest := body
			for _, row := range got.Rows {
				_, after, found := bytes.Cut(rest, row)
				if !found || len(row) == 0 {
					t.Fatalf("row %q does not stand in the rest of the answer", row)
				}
				rest = after
			}
			if whole := bytes.TrimSpace(body); int(cut) < len(whole) {
				if _, err := jushuitan.Decode(gateway, http.StatusOK, nil, whole[:cut]); err == nil {
					t.Fatalf("a cut after %d bytes is taken for a page", cut)
				}
			}
			compare(t, body, got)
		}
	})
}

// compare asserts that a valid document has the rows that encoding/json finds in it.
func compare(t *testing.T, body []byte, got jushuitan.Page) {
	t.Helper()
	var answer, data map[string]json.RawMessage
	if json.Unmarshal(body, &answer) != nil {
		return
	}
	if json.Unmarshal(answer["data"], &data) != nil || data["datas"] == nil {
		data = answer
	}
	var want []json.RawMessage
	if datas := data["datas"]; datas != nil && json.Unmarshal(datas, &want) != nil {
		t.Fatalf("encoding/json finds no list in %s", datas)
	}
	if len(want) != len(got.Rows) {
		t.Fatalf("got %d rows, want %d", len(got.Rows), len(want))
	}
	for i := range want {
		if !bytes.Equal(want[i], got.Rows[i]) {
			t.Fatalf("row %d: got %s, want %s", i, got.Rows[i], want[i])
		}
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, seed := range []string{
		"<html><title>502 13800138000</title>", `{"code":110,"msg":"s3cr3t 13800138000"}`, `{"code":-1}`, `{"code":0,"issuccess":false,"message":"x"}`,
		"", "null", "\x00", `"`, `{"code":"`, `{"code":0,"data":{"datas":[]}}`,
	} {
		f.Add([]byte(seed), 200)
		f.Add([]byte(seed), 502)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		for _, gateway := range gateways() {
			header := http.Header{"Content-Type": {"text/html"}, "Retry-After": {string(body)}, "Location": {string(body)}}
			_, err := jushuitan.Decode(gateway, status, header, body, "s3cr3t")
			if err == nil {
				if status != http.StatusOK || !bytes.Contains(body, []byte("0")) || bytes.HasPrefix(body, []byte("<")) {
					t.Fatalf("status %d with %q is a success", status, body)
				}
				continue
			}
			e := failure(t, err)
			assertMasked(t, e.Msg, "s3cr3t")
			if e.Remedy() == "" || strings.ContainsAny(e.Error(), "\n\r\x00") || strings.Contains(e.Error(), "s3cr3t") {
				t.Fatalf("%q, %q", e, e.Remedy())
			}
			if e.RetryAfter < 0 || e.RetryAfter > time.Hour {
				t.Fatalf("wait %s", e.RetryAfter)
			}
		}
	})
}
