package record_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
)

func BenchmarkDecode(b *testing.B) {
	row := fixture(b, "realistic.json")
	schema, now := record.SalesOut(), fetchedAt()
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schema.Decode("main", row, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnvelope(b *testing.B) {
	r, _ := decode(b, fixture(b, "realistic.json"))
	b.ReportAllocs()
	for b.Loop() {
		e, err := r.Envelope()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := proto.Marshal(e); err != nil {
			b.Fatal(err)
		}
	}
}
