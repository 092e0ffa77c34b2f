package record_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

func TestPayloadJSONIsTheRowUnderTheVendorsNames(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	r, err := record.SalesOut().Decode("main", []byte(`{"io_id":9007199254740993,"ts":1,"pay_amount":"12.50","remark":"a <b> & 大"}`), at)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.PayloadJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{`"io_id":"9007199254740993"`, `"pay_amount":"12.50"`, `"remark":"a <b> & 大"`} {
		if !strings.Contains(string(got), member) {
			t.Errorf("%s lacks %s", got, member)
		}
	}
	again := &jushuitanv1.SalesOutOrder{}
	if err := protojson.Unmarshal(got, again); err != nil || !proto.Equal(again, r.Payload) {
		t.Errorf("reads back as %v, want %v; %v", again, r.Payload, err)
	}
}

func TestPayloadJSONTellsNothingOfARowThatHasNone(t *testing.T) {
	t.Parallel()
	broken := "张三\xff"
	for name, r := range map[string]record.Record{
		"no payload":             {},
		"a text that is no text": {Payload: &jushuitanv1.SalesOutOrder{Remark: &broken}},
	} {
		if got, err := r.PayloadJSON(); err == nil || strings.Contains(err.Error(), "张三") {
			t.Errorf("%s: %s, %v; want an error without values", name, got, err)
		}
	}
}
