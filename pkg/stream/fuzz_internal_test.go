package stream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// FuzzMessage reads a stored message that anybody may have written: as a record, as the headers of one, as a dead letter and as a
// checkpoint. Each is read or refused for good; what is read says the same when it is written again.
func FuzzMessage(f *testing.F) {
	plain := record.Record{
		Resource: "sales-out", Source: "main", Shop: "1", Key: "7", Payload: &jushuitanv1.SalesOutOrder{}, Raw: []byte(`{"io_id":7}`),
		Version: record.Version{TS: 1, Modified: time.Date(2026, 11, 24, 0, 0, 0, 5, time.UTC)},
	}
	envelope, err := plain.Envelope()
	if err != nil {
		f.Fatal(err)
	}
	body, err := proto.Marshal(envelope)
	if err != nil {
		f.Fatal(err)
	}
	packed, err := compress(body)
	if err != nil {
		f.Fatal(err)
	}
	h := recordHeader(plain)
	f.Add(RecordSubject(plain), h.Get(HeaderKey), h.Get(HeaderVersion), h.Get(HeaderModified), h.Get(HeaderHash), "", body)
	f.Add(RecordSubject(plain)+requeueSuffix, "=", "m2026-11-24T00:00:00Z", "", strings.Repeat("0", 64), encodingZstd, packed)
	f.Add("jst.dlq.sales-out.main.0.7", "=2E", "-1", "0001-01-01T00:00:00Z", "zz", encodingZstd, packed[:len(packed)/2])
	f.Add("jst.record", "", "", "yesterday", "", "gzip", []byte(nil))
	f.Fuzz(func(t *testing.T, subject, key, version, modified, hash, encoding string, data []byte) {
		h := nats.Header{HeaderKey: {key}, HeaderVersion: {version}, HeaderModified: {modified}, HeaderHash: {hash}, HeaderEncoding: {encoding}}
		r, err := (&Conn{}).readRecord(t.Context(), h, data)
		if err != nil && !errors.Is(err, errUnreadable) {
			t.Fatalf("not refused for good: %v", err)
		}
		if err == nil && (r.Key == "" || r.Version.IsZero() || r.Payload == nil || len(r.Raw) > MaxPayload) {
			t.Fatalf("read as %+v", r)
		}
		if id, err := readIdentity(h); err == nil {
			again, err := readIdentity(recordHeader(record.Record{Key: id.key, Version: id.version, Hash: id.hash}))
			if err != nil || again.key != id.key || again.hash != id.hash || again.version.Compare(id.version) != 0 {
				t.Fatalf("%+v becomes %+v, %v", id, again, err)
			}
		}
		if o := owner(subject); !strings.HasPrefix(subject, o) || strings.Count(o, ".") > 3 {
			t.Fatalf("the owner of %q is %q", subject, o)
		}
		if l := readLetter(subject, h, 1, time.Unix(0, 0)); l.Attempt < 1 || l.Kept.IsZero() {
			t.Fatalf("the letter is %+v", l)
		}
		c, err := parseCheckpoint(&jetstream.RawStreamMsg{Subject: subject, Data: data})
		if foreign := (*CheckpointError)(nil); err == nil && c.GetRunId() == "" || err != nil && !errors.As(err, &foreign) {
			t.Fatalf("the checkpoint is %v, %v", c, err)
		}
	})
}

func TestABombIsNotInflated(t *testing.T) {
	t.Parallel()
	bomb, err := compress(make([]byte, MaxPayload+1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Conn{}).readRecord(t.Context(), nats.Header{HeaderEncoding: {encodingZstd}}, bomb); !errors.Is(err, errUnreadable) || len(bomb) > 1<<20 {
		t.Errorf("%d bytes: %v", len(bomb), err)
	}
}
