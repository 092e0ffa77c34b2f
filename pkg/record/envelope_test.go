package record_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"juliu/pkg/record"
	juliuv1 "juliu/proto/juliu/v1"
)

// wire is the record's message body.
func wire(t rapid.TB, r record.Record) []byte {
	t.Helper()
	e, err := r.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// travel puts a record on the wire and takes it off again.
func travel(t rapid.TB, r record.Record) record.Record {
	t.Helper()
	var read juliuv1.Envelope
	if err := proto.Unmarshal(wire(t, r), &read); err != nil {
		t.Fatal(err)
	}
	got, err := record.FromEnvelope(&read)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRecordsSurviveTheirEnvelope(t *testing.T) {
	t.Parallel()
	for name, row := range map[string][]byte{
		"a row as the vendor shows it": fixture(t, "sales_out.json"),
		"a row with ts":                fixture(t, "realistic.json"),
		"a row with surprises":         members(`"remark":"` + "\xb0" + `","items":[{"qty":[]}]`),
		"a row with a ts alone":        []byte(`{"io_id":1,"ts":2}`),
		"a row with a time alone":      []byte(`{"io_id":1,"modified":"2021-09-18 11:02:19.8070001"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, _ := decode(t, row)
			if diff := cmp.Diff(want, travel(t, want), protocmp.Transform()); diff != "" {
				t.Errorf("(-sent +received):\n%s", diff)
			}
		})
	}
}

func TestAbsentTimesAreAbsentOnTheWire(t *testing.T) {
	t.Parallel()
	r, _ := decode(t, []byte(`{"io_id":1,"ts":2,"modified":"0001-01-01 00:00:00"}`))
	e, err := r.Envelope()
	if err != nil || e.GetModifiedAt() != nil || e.GetSalesOutOrder().GetModified() != nil {
		t.Errorf("modified_at %v, error %v", e.GetModifiedAt(), err)
	}
}

func TestARecordWithoutAPlaceHasNoEnvelope(t *testing.T) {
	t.Parallel()
	r, _ := decode(t, fixture(t, "sales_out.json"))
	for name, payload := range map[string]proto.Message{"no payload": nil, "a payload of another type": timestamppb.New(time.Unix(0, 0))} {
		r.Payload = payload
		if e, err := r.Envelope(); err == nil {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestEnvelopesThatCannotBeReadSayWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, cause string
		spoil       func(e *juliuv1.Envelope)
	}{
		{"the payload of a newer extractor", "upgrade this program", func(e *juliuv1.Envelope) { e.Payload = nil }},
		{"no key", "no key", func(e *juliuv1.Envelope) { e.Key = "" }},
		{"no version", "no version", func(e *juliuv1.Envelope) { e.Version, e.ModifiedAt = 0, nil }},
		{"a row version below zero", "out of range", func(e *juliuv1.Envelope) { e.Version = -1 }},
		{"a modification in year 30 billion", "out of range", func(e *juliuv1.Envelope) { e.ModifiedAt.Seconds = 1 << 60 }},
		{"a reading that no clock tells", "out of range", func(e *juliuv1.Envelope) { e.FetchedAt.Nanos = -1 }},
		{"half a hash", "16 bytes", func(e *juliuv1.Envelope) { e.ContentHash = e.GetContentHash()[:16] }},
		{"nothing at all", "not written by juliu", func(e *juliuv1.Envelope) { proto.Reset(e) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _ := decode(t, fixture(t, "sales_out.json"))
			e, err := r.Envelope()
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(e)
			if _, err := record.FromEnvelope(e); err == nil || !strings.Contains(err.Error(), c.cause) {
				t.Errorf("error %v, want %q in it", err, c.cause)
			}
		})
	}
}
