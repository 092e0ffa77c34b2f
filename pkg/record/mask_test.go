package record_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"juliu/pkg/record"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

func TestMaskedShowsNoPersonAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	row := `{"io_id":7,"ts":3,"shop_id":1,"status":"Confirmed","receiver_name":"canary","receiver_phone":"canary","receiver_mobile":"canary",` +
		`"receiver_address":"canary","receiver_town":"canary","receiver_district":"canary","receiver_city":"杭州市","shop_buyer_id":"canary",` +
		`"buyer_id":"canary","open_id":"canary","oaid":"canary","buyer_message":"canary","remark":"canary","node":"canary","unknown":"canary",` +
		`"deliver_name":"canary","items":[{"sku_id":"S1","name":"shirt"}]}`
	r, err := record.SalesOut().Decode("main", []byte(row), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	masked := r.Masked()
	text, err := masked.PayloadJSON()
	if err != nil || strings.Contains(string(text), "canary") || len(masked.Raw) > 0 {
		t.Errorf("shows a person: %s %s, %v", text, masked.Raw, err)
	}
	for _, want := range []string{`"receiver_name":"***"`, `"receiver_city":"杭州市"`, `"sku_id":"S1"`, `"status":"Confirmed"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("does not show %s: %s", want, text)
		}
	}
	if whole, err := r.PayloadJSON(); err != nil || strings.Count(string(whole), "canary") != 14 || len(r.Raw) == 0 {
		t.Errorf("the record itself was changed: %s", whole)
	}
}

// A field whose comment says that it is personal is marked so; the comment is what people read.
func TestWhatTheSchemaCallsPersonalIsMarked(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../proto/jushuitan/v1/sales_out.proto")
	if err != nil {
		t.Fatal(err)
	}
	fields := (&jushuitanv1.SalesOutOrder{}).ProtoReflect().Descriptor().Fields()
	found := 0
	for _, m := range regexp.MustCompile(`(?mi)^ *//.*personal.*\n *optional string (\w+) `).FindAllStringSubmatch(string(text), -1) {
		found++
		fd := fields.ByName(protoreflect.Name(m[1]))
		if options, ok := fd.Options().(*descriptorpb.FieldOptions); !ok || !options.GetDebugRedact() {
			t.Errorf("%s is personal, but not marked debug_redact", m[1])
		}
	}
	if found < 12 {
		t.Errorf("only %d personal fields found", found)
	}
}
