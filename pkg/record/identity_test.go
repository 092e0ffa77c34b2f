package record_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"juliu/pkg/record"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	modified := time.Date(2021, 9, 23, 7, 7, 58, 0, time.UTC)
	for _, c := range []struct {
		name, row, key, shop string
		version              record.Version
	}{
		{"key, shop, ts and time", `{"io_id":166,"shop_id":9,"ts":5,"modified":"2021-09-23 15:07:58"}`, "166", "9", record.Version{TS: 5, Modified: modified}},
		{"all of them as texts", `{"io_id":"166","shop_id":"9.0","ts":"5","modified":"2021-09-23 15:07:58"}`, "166", "9", record.Version{TS: 5, Modified: modified}},
		{"a key and a ts past 2^53", `{"io_id":9007199254740993,"ts":9007199254740995}`, "9007199254740993", "0", record.Version{TS: 9007199254740995}},
		{"a time alone", `{"io_id":1,"modified":"2021-09-23 15:07:58"}`, "1", "0", record.Version{Modified: modified}},
		{"a broken ts beside a time", `{"io_id":1,"ts":"x","modified":"2021-09-23 15:07:58"}`, "1", "0", record.Version{Modified: modified}},
		{"a zero date beside a ts", `{"io_id":1,"ts":5,"modified":"0001-01-01 00:00:00"}`, "1", "0", record.Version{TS: 5}},
		{"an offline order", `{"io_id":1,"ts":5,"shop_id":0}`, "1", "0", record.Version{TS: 5}},
		{"a broken shop", `{"io_id":1,"ts":5,"shop_id":"x"}`, "1", "0", record.Version{TS: 5}},
		{"the last of two keys", `{"io_id":1,"io_id":2,"ts":5}`, "2", "0", record.Version{TS: 5}},
		{"white space around the row", " \r\n\t{ \"io_id\" :\n1 , \"ts\" : 5 } \n", "1", "0", record.Version{TS: 5}},
		{"a row of which nothing else fits", `{"io_id":1,"ts":5,"items":7,"is_cod":[],"created":{},"remark":NaN}`, "1", "0", record.Version{TS: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _ := decode(t, []byte(c.row))
			if r.Source != "main" || r.Resource != "sales-out" || r.Key != c.key || r.Shop != c.shop || !r.FetchedAt.Equal(fetchedAt()) {
				t.Errorf("%s of %s, key %q, shop %q, fetched %v", r.Resource, r.Source, r.Key, r.Shop, r.FetchedAt)
			}
			if r.Version != c.version {
				t.Errorf("version %+v, want %+v", r.Version, c.version)
			}
		})
	}
}

func TestRowsWithoutIdentityAreRefused(t *testing.T) {
	t.Parallel()
	const noKey, noVersion, broken = "io_id is not a positive whole number", "neither ts nor modified tells the version", "not a JSON object"
	deep := func(levels int) string {
		return `{"io_id":1,"ts":2,"x":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
	}
	for _, c := range []struct{ name, row, cause string }{
		{"no key", `{"ts":5}`, noKey},
		{"a null key", `{"io_id":null,"ts":5}`, noKey},
		{"a key of zero", `{"io_id":0,"ts":5}`, noKey},
		{"a negative key", `{"io_id":-1,"ts":5}`, noKey},
		{"a key with a fraction", `{"io_id":1.5,"ts":5}`, noKey},
		{"a key in an object", `{"io_id":{"io_id":1},"ts":5}`, noKey},
		{"a key in another case", `{"IO_ID":1,"ts":5}`, noKey},
		{"the last of two keys is null", `{"io_id":1,"io_id":null,"ts":5}`, noKey},
		{"no version", `{"io_id":1}`, noVersion},
		{"a ts of zero", `{"io_id":1,"ts":0}`, noVersion},
		{"a negative ts", `{"io_id":1,"ts":-5}`, noVersion},
		{"a null time", `{"io_id":1,"modified":null}`, noVersion},
		{"an empty time", `{"io_id":1,"modified":""}`, noVersion},
		{"a time in the year 1", `{"io_id":1,"modified":"0001-01-01 00:00:00"}`, noVersion},
		{"a time of zeros", `{"io_id":1,"modified":"0000-00-00 00:00:00"}`, noVersion},
		{"nothing", ``, broken},
		{"white space", " \n", broken},
		{"null", `null`, broken},
		{"an array", `[{"io_id":1,"ts":5}]`, broken},
		{"a text", `"{}"`, broken},
		{"a page in HTML", `<html>502</html>`, broken},
		{"something behind the row", `{"io_id":1,"ts":5}x`, broken},
		{"two rows", `{"io_id":1,"ts":5}{"io_id":2,"ts":5}`, broken},
		{"a NUL behind the row", "{\"io_id\":1,\"ts\":5}\x00", broken},
		{"a comma too many", `{"io_id":1,"ts":5,}`, broken},
		{"a comma too few", `{"io_id":1 "ts":5}`, broken},
		{"a value too many", `{"io_id":1 2,"ts":5}`, broken},
		{"a colon too few", `{"io_id" 1,"ts":5}`, broken},
		{"a value too few", `{"io_id":1,"ts":5,"x":}`, broken},
		{"a name without quotes", `{io_id:1,"ts":5}`, broken},
		{"a bracket of the wrong kind", `{"io_id":1,"ts":5,"x":[1}}`, broken},
		{"65 levels", deep(65), "too deeply nested"},
		{"10,000 levels", deep(10_000), "too deeply nested"},
		{"a million open brackets", `{"io_id":1,"ts":2,"x":` + strings.Repeat("[", 1_000_000), "too deeply nested"},
		{"a million open objects", strings.Repeat(`{"x":`, 1_000_000), "too deeply nested"},
		{"too many values", `{"io_id":1,"ts":2,"x":[` + strings.Repeat("1,", 1<<20) + `1]}`, "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := refuse(t, []byte(c.row))
			if !strings.Contains(err.Error(), c.cause) || !strings.Contains(err.Error(), "sales-out") {
				t.Errorf("error %q, want %q in it", err, c.cause)
			}
			if string(r.Raw) != c.row || r.Source != "main" || r.Resource != "sales-out" || r.Shop != "0" || !r.FetchedAt.Equal(fetchedAt()) {
				t.Errorf("the refused record lacks what a dead letter needs: %+v", r)
			}
		})
	}
	t.Run("64 levels are carried", func(t *testing.T) {
		t.Parallel()
		decode(t, []byte(deep(64)))
	})
}

func TestARefusedRowKeepsTheKeyAndShopThatItHas(t *testing.T) {
	t.Parallel()
	if r, _ := refuse(t, []byte(`{"io_id":7,"shop_id":9}`)); r.Key != "7" || r.Shop != "9" {
		t.Errorf("key %q, shop %q", r.Key, r.Shop)
	}
}

func TestErrorsAndSurprisesHoldNoValue(t *testing.T) {
	t.Parallel()
	const name = "张三13800001111"
	for _, row := range []string{
		`{"io_id":"` + name + `","ts":1}`, `{"io_id":1,"ts":"` + name + `"}`, `{"receiver_name":"` + name, `{"` + name + `":}`, name, `{"io_id":1,"ts":` + name + `}`,
	} {
		if _, err := refuse(t, []byte(row)); strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "1380000") {
			t.Errorf("the error shows a value: %v", err)
		}
	}
	r, _ := decode(t, members(`"items":[{"qty":{"`+name+`":"`+name+`"}}],"`+name+`":{},"`+name+`":1,"is_cod":"`+name+`"`))
	if got := strings.Join(r.Surprises, ","); got != "items[0].qty,is_cod" {
		t.Errorf("surprises %q", got)
	}
}

func TestACutRowIsNeverHalfARecord(t *testing.T) {
	t.Parallel()
	row := fixture(t, "realistic.json")
	for i := range row {
		if r, _ := refuse(t, row[:i]); r.Payload != nil {
			t.Fatalf("the first %d bytes have a payload", i)
		}
	}
}

func TestAWideRowIsCarried(t *testing.T) {
	t.Parallel()
	const width = 1_000_000
	r, _ := decode(t, members(strings.Repeat(`"x":1,`, width)+`"items":[`+strings.Repeat(`{"qty":1},`, 9_999)+`{"qty":2}]`))
	if n := len(order(t, r).GetItems()); n != 10_000 || len(r.Surprises) != 0 {
		t.Errorf("%d items, surprises %q", n, r.Surprises)
	}
}

func TestRawIsACopy(t *testing.T) {
	t.Parallel()
	row := members(`"remark":"a` + "\xb0\xa1" + `"`)
	before := bytes.Clone(row)
	r, o := decode(t, row)
	clear(row)
	if !bytes.Equal(r.Raw, before) || o.GetRemark() != "a\ufffd" {
		t.Errorf("raw %q, remark %q after the caller reused its buffer", r.Raw, o.GetRemark())
	}
}
