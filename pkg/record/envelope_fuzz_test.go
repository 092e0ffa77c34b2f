package record_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/record"
	juliuv1 "juliu/proto/juliu/v1"
)

// FuzzEnvelope reads envelopes that anybody may have written. What is read travels on unchanged, and its version can be told and read.
func FuzzEnvelope(f *testing.F) {
	for _, name := range []string{"sales_out.json", "realistic.json"} {
		r, err := record.SalesOut().Decode("main", fixture(f, name), fetchedAt())
		if err != nil {
			f.Fatal(err)
		}
		e, err := r.Envelope()
		if err != nil {
			f.Fatal(err)
		}
		for _, spoil := range []func(){
			func() {}, func() { e.ModifiedAt = &timestamppb.Timestamp{Seconds: 1 << 60, Nanos: -1} }, func() { e.Version = -1 }, func() { e.Key = "" },
		} {
			spoil()
			b, err := proto.Marshal(e)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var e juliuv1.Envelope
		if proto.Unmarshal(body, &e) != nil {
			return
		}
		r, err := record.FromEnvelope(&e)
		if err != nil {
			return
		}
		if sent, received := wire(t, r), wire(t, travel(t, r)); !bytes.Equal(sent, received) {
			t.Fatalf("the envelope\n%q\nbecomes\n%q", sent, received)
		}
		text := r.VersionText()
		version, err := record.ParseVersion(text)
		if err != nil {
			t.Fatalf("version %q of %v cannot be read: %v", text, r.Version, err)
		}
		if again := (record.Record{Version: version, Hash: r.Hash}).VersionText(); r.Version.TS != 0 && again != text {
			t.Fatalf("version %q becomes %q", text, again)
		}
	})
}
