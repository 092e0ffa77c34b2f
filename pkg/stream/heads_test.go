package stream_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/record"
	"juliu/pkg/stream"
)

// Heads are what was stored of a shop, in its order; LoadKnownOf knows that shop's keys alone.
func TestHeadsSayWhatIsStored(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	o := stream.ReadOptions{Resource: resource, Source: source, Shop: "11"}
	if err := stream.ReadHeads(t.Context(), conn, o, func(stream.Head) error { t.Error("an empty stream has a record"); return nil }); err != nil {
		t.Fatal(err)
	}
	records := orders(0, 30, 100)
	commit(t.Context(), t, openJournal(t, conn), records)
	var want, got []stream.Head
	for i, r := range records {
		if r.Shop == o.Shop {
			want = append(want, stream.Head{Sequence: uint64(i + 1), Shop: r.Shop, Key: r.Key, Version: r.Version, Hash: r.Hash})
		}
	}
	if err := stream.ReadHeads(t.Context(), conn, o, func(h stream.Head) error { got = append(got, h); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	if o.Since = time.Now().Add(time.Hour); stream.ReadHeads(t.Context(), conn, o, func(stream.Head) error { t.Error("stored later"); return nil }) != nil {
		t.Error("nothing to read is an error")
	}
	k, err := stream.LoadKnownOf(t.Context(), conn, resource, source, "11", epoch())
	if err != nil || k.Len() != len(want) || k.Judge(record.Record{Key: want[0].Key, Version: want[0].Version, Hash: want[0].Hash}) != stream.Equal {
		t.Errorf("%d keys known of the shop, %v; want %d", k.Len(), err, len(want))
	}
	if k, err := stream.LoadKnownOf(t.Context(), conn, resource, source, "", epoch()); err != nil || k.Len() != len(records) {
		t.Errorf("%d keys known of all, %v; want %d", k.Len(), err, len(records))
	}
}
