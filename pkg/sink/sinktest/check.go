package sinktest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
)

// version is a record of a key: its ts-th version, at a place on the stream. More members are added to its row as JSON, each with a
// comma before it.
func version(t *testing.T, key int, ts int64, sequence uint64, more ...string) record.Record {
	t.Helper()
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	row := fmt.Sprintf(`{"io_id":%d,"shop_id":1,"ts":%d,"modified":"2026-02-01 00:00:00","drp_co_id_from":"%d"%s}`, key, ts, sequence, strings.Join(more, ""))
	r, err := record.SalesOut().Decode("main", []byte(row), at)
	if err != nil {
		t.Fatalf("decode the row of the test: %v", err)
	}
	r.Sequence, r.Published = sequence, at
	return r
}

// write writes or ends the test.
func write(t *testing.T, s Subject, batch ...record.Record) {
	t.Helper()
	if err := s.Sink.Write(t.Context(), batch); err != nil {
		t.Fatalf("write %d records: %v", len(batch), err)
	}
}

// wantAll checks that each record is kept: exactly once where the sink keeps the newest, at least once where it keeps all.
func wantAll(t *testing.T, s Subject, want ...record.Record) {
	t.Helper()
	if s.Keeps == Nothing {
		return
	}
	kept := s.Read(t)
	for _, r := range want {
		found := 0
		for _, k := range kept {
			if k.Source != r.Source || k.Resource != r.Resource || k.Key != r.Key || k.Sequence != r.Sequence {
				continue
			}
			found++
			if k.Payload != nil && !proto.Equal(k.Payload, r.Payload) {
				t.Errorf("record %d is kept with another payload", r.Sequence)
			}
		}
		if found == 0 {
			t.Errorf("record %d of key %s is not kept", r.Sequence, r.Key)
		}
	}
	if s.Keeps == Newest && len(kept) != len(want) {
		t.Errorf("%d records are kept, want %d: one for each key", len(kept), len(want))
	}
}
