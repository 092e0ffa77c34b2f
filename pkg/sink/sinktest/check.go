package sinktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

const (
	// patience is how long a sink may take to come back, and to settle what two loaders do to each other.
	patience = 30 * time.Second
	// name and mobile are what no error may show.
	name, mobile = "王小明", "13812345678"
	// person are members of a row that hold them.
	person = `,"receiver_name":"` + name + `","receiver_mobile":"` + mobile + `"`
)

// version is a record of a key: its ts-th version, at a place on the stream. More members are added to its row as JSON, each with a
// comma before it.
func version(t *testing.T, key int, ts int64, sequence uint64, more ...string) record.Record {
	t.Helper()
	return decode(t, sequence, fmt.Sprintf(`{"io_id":%d,"shop_id":1,"ts":%d,"modified":"2026-02-01 00:00:00","drp_co_id_from":"%d"%s%s}`,
		key, ts, sequence, person, strings.Join(more, "")))
}

// untimed is a record without ts, of the n-th second of a minute.
func untimed(t *testing.T, key, n int, sequence uint64) record.Record {
	t.Helper()
	return decode(t, sequence, fmt.Sprintf(`{"io_id":%d,"shop_id":1,"modified":"2026-02-01 00:00:%02d","drp_co_id_from":"%d"%s}`, key, n, sequence, person))
}

func decode(t *testing.T, sequence uint64, row string) record.Record {
	t.Helper()
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
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

// outcomes writes as the loader does, in batches that the sink takes, and returns the error of each record: that of its batch, its own
// of a *BatchError, or, after ErrRejected for several, which does not say which, that of the record alone.
func outcomes(ctx context.Context, s sink.Sink, all []record.Record) []error {
	errs := make([]error, len(all))
	for begin := 0; begin < len(all); begin += s.Batch().Records {
		end := min(begin+s.Batch().Records, len(all))
		err := s.Write(ctx, all[begin:end])
		partly, isPartly := errors.AsType[*sink.BatchError](err)
		for i := begin; i < end; i++ {
			switch {
			case isPartly:
				errs[i] = partly.Failed[i-begin]
			case end-begin > 1 && errors.Is(err, sink.ErrRejected):
				errs[i] = outcomes(ctx, s, all[i:i+1])[0]
			default:
				errs[i] = err
			}
		}
	}
	return errs
}

// persist writes until all is stored, as the loader does after an error that is not the record's.
func persist(t *testing.T, s sink.Sink, batch []record.Record) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var left []record.Record
		var cause error
		for i, err := range outcomes(t.Context(), s, batch) {
			if err != nil {
				left, cause = append(left, batch[i]), err
			}
		}
		if batch = left; len(batch) == 0 {
			return
		}
		if errors.Is(cause, sink.ErrRejected) {
			t.Errorf("write: %v, want it stored", cause)
			return
		}
		select {
		case <-deadline.C:
			t.Errorf("written again for %s: %v, want it stored", patience, cause)
			return
		case <-tick.C:
		}
	}
}

// checkText fails when an error shows what it must not.
func checkText(t *testing.T, err error) {
	t.Helper()
	if err != nil && (strings.Contains(err.Error(), name) || strings.Contains(err.Error(), mobile)) {
		t.Error("an error shows a name or a phone number")
	}
}

// wantAll checks that each record is kept: exactly once where the sink keeps the newest, at least once where it keeps all.
func wantAll(t *testing.T, s Subject, want ...record.Record) {
	t.Helper()
	if kept := wantKept(t, s, want...); s.Keeps == Newest && kept != len(want) {
		t.Errorf("%d records are kept, want %d: one for each key", kept, len(want))
	}
}

// wantKept checks that each record is kept, whatever else is, and returns how many are.
func wantKept(t *testing.T, s Subject, want ...record.Record) int {
	t.Helper()
	if s.Keeps == Nothing {
		return 0
	}
	type place struct {
		source, resource, key string
		sequence              uint64
	}
	kept := s.Read(t)
	found := map[place]Stored{}
	for _, k := range kept {
		found[place{k.Source, k.Resource, k.Key, k.Sequence}] = k
	}
	for _, r := range want {
		k, ok := found[place{r.Source, r.Resource, r.Key, r.Sequence}]
		if !ok {
			t.Errorf("record %d of key %s is not kept", r.Sequence, r.Key)
		}
		if k.Payload != nil && !proto.Equal(k.Payload, r.Payload) {
			t.Errorf("record %d is kept with another payload", r.Sequence)
		}
	}
	return len(kept)
}
