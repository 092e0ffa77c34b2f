package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"juliu/pkg/record"
)

func FuzzDecode(f *testing.F) {
	f.Add(fixture(f, "sales_out.json"))
	f.Add(fixture(f, "realistic.json"))
	for _, s := range []string{
		``, `{}`, `{"io_id":1,"ts":2,"x":[[[[]]]]}`, `{"io_id":"1.0","modified":"2021-09-23 15:07:58.1","items":{"qty":1e3}}`,
		"{\"io_id\":1,\"ts\":2,\"remark\":\"\xb0\xa1\\ud800\\u0000\x01\"}", `{"io_id":1,"io_id":2,"ts":NaN,"ts":3,"IO_ID":4}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		r, err := record.SalesOut().Decode("main", row, fetchedAt())
		if !bytes.Equal(r.Raw, row) {
			t.Fatal("raw is not the bytes given")
		}
		if err != nil {
			if !errors.Is(err, record.ErrNoIdentity) {
				t.Fatalf("error %v", err)
			}
			if json.Valid(row) && bytes.HasPrefix(bytes.TrimSpace(row), []byte("{")) && strings.Contains(err.Error(), "not a JSON object") {
				t.Fatalf("a JSON object is refused: %v", err)
			}
			return
		}
		if sent, received := wire(t, r), wire(t, travel(t, r)); !bytes.Equal(sent, received) {
			t.Fatalf("the envelope\n%q\nbecomes\n%q", sent, received)
		}
		agrees(t, r)
	})
}

// agrees compares the payload's texts and hash with what encoding/json reads in a row that it can read.
func agrees(t *testing.T, r record.Record) {
	t.Helper()
	var plain map[string]any
	d := json.NewDecoder(bytes.NewReader(r.Raw))
	d.UseNumber()
	if len(r.Surprises) > 0 || !utf8.Valid(r.Raw) || d.Decode(&plain) != nil {
		return
	}
	want, _ := plain["remark"].(string)
	if n, ok := plain["remark"].(json.Number); ok {
		want = n.String()
	}
	if b, ok := plain["remark"].(bool); ok {
		want = map[bool]string{true: "true", false: "false"}[b]
	}
	if got := order(t, r).GetRemark(); got != want {
		t.Fatalf("remark %q, encoding/json reads %q", got, want)
	}
	again, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsRune(again, utf8.RuneError) || bytes.Contains(again, []byte(`\ufffd`)) {
		return // a lone surrogate in an unknown member: encoding/json replaces it, so the content differs
	}
	if h := hash(t, string(again)); h != r.Hash {
		t.Fatalf("the hash of %s is not that of %s", r.Raw, again)
	}
}

func FuzzScalars(f *testing.F) {
	for _, s := range []string{"", "0", "-0", "12.0", "12.50", "1e3", "007", "9007199254740993", "9223372036854775808", "true", "NaN", "2021-09-16 14:05:07.5", " 7 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		keepsDigits(t, s, string(quoted))
		if json.Valid([]byte(s)) && strings.TrimSpace(s) == s && strings.IndexByte("-0123456789", s[0]) >= 0 {
			keepsDigits(t, s, s)
		}
	})
}

// keepsDigits decodes a literal into a field of each type: its typed value is the same text, the same whole number, or unset and
// named.
func keepsDigits(t rapid.TB, text, literal string) {
	t.Helper()
	r, o := decode(t, members(`"pay_amount":`+literal+`,"o_id":`+literal+`,"is_cod":`+literal+`,"created":`+literal))
	named := " " + strings.Join(r.Surprises, " ") + " "
	if utf8.ValidString(text) && (o.GetPayAmount() != text || strings.Contains(named, " pay_amount ")) {
		t.Errorf("money %q becomes %q, surprises %s", text, o.GetPayAmount(), named)
	}
	blank := strings.TrimSpace(text) == ""
	if exact, ok := new(big.Rat).SetString(strings.TrimSpace(text)); o.OId != nil && (!ok || exact.Cmp(new(big.Rat).SetInt64(o.GetOId())) != 0) {
		t.Errorf("number %q becomes %d", text, o.GetOId())
	}
	for name, unset := range map[string]bool{"o_id": o.OId == nil, "is_cod": o.IsCod == nil} {
		if surprise := strings.Contains(named, " "+name+" "); surprise != (unset && !blank) {
			t.Errorf("%s of %q: unset %t, named %t", name, text, unset, surprise)
		}
	}
	if created := o.GetCreated(); created != nil && (created.CheckValid() != nil || !strings.HasPrefix(strings.TrimSpace(text), created.AsTime().Add(8*60*60*1e9).Format("2006-01-02"))) {
		t.Errorf("time %q becomes %v", text, created.AsTime())
	}
}

func TestNoDigitIsEverChanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := drawNumber(t)
		keepsDigits(t, number, number)
		keepsDigits(t, number, `"`+number+`"`)
	})
}
