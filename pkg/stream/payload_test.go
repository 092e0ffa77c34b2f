package stream_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"juliu/pkg/embednats"
	"juliu/pkg/record"
	"juliu/pkg/stream"
)

// noise is a row that no compression makes smaller.
func noise(n, size int) record.Record {
	r := order(n, size)
	source := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = source.Read(r.Raw)
	return r
}

func TestRowsOfAnySizeAreCarriedWhole(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	server := serve(t, embednats.Options{MaxPayload: mib})
	conn := connect(t, server.URL())
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	var rs []record.Record
	for _, size := range []int{0, 9 * mib / 10, mib - 1, mib, 11 * mib / 10, 8 * mib, 9 * mib} {
		rs = append(rs, order(len(rs), size))
	}
	for _, size := range []int{11 * mib / 10, 8 * mib} {
		rs = append(rs, noise(len(rs), size))
	}
	j := openJournal(t, conn)
	commit(t.Context(), t, j, rs)
	// A commit that is tried anew stores the same objects again.
	commit(t.Context(), t, j, rs[len(rs)-1:])
	got := stored(t, conn)
	if len(got) != len(rs)+1 {
		t.Fatalf("%d records, want %d", len(got), len(rs)+1)
	}
	for i, r := range rs {
		if !bytes.Equal(got[i].Raw, r.Raw) || got[i].Key != r.Key {
			t.Errorf("row %d of %d bytes came back changed", i, len(r.Raw))
		}
	}
	if err := j.Commit(t.Context(), []record.Record{order(99, stream.MaxPayload)}, checkpoint(epoch())); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("a row above the limit: %v, want ErrTooLarge", err)
	}
}

func TestACommitLargerThanABatchMayBeIsStoredAsOne(t *testing.T) {
	t.Parallel()
	const size, count = 2 << 20, 20
	_, conn := setup(t)
	rs := make([]record.Record, 0, count)
	for n := range count {
		rs = append(rs, noise(n, size))
	}
	commit(t.Context(), t, openJournal(t, conn), rs)
	once(t, conn, count)
	snap, err := stream.TakeSnapshot(t.Context(), conn)
	if err != nil || snap.Bytes > stream.MaxBatch+size {
		t.Errorf("the batch put %d bytes into the stream, %v", snap.Bytes, err)
	}
}

func TestADamagedObjectIsAPoisonedDelivery(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{MaxPayload: 1 << 18})
	conn := connect(t, server.URL())
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	commit(t.Context(), t, openJournal(t, conn), []record.Record{noise(0, 1<<19), noise(1, 1<<19), noise(2, 1<<19)})
	store, err := raw(t, server).ObjectStore(t.Context(), stream.PayloadBucket)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := store.List(t.Context())
	if err != nil || len(objects) != 3 {
		t.Fatal(len(objects), err)
	}
	other, err := store.GetBytes(t.Context(), objects[2].Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), objects[0].Name); err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutBytes(t.Context(), objects[1].Name, other); err != nil {
		t.Fatal(err)
	}
	var whole, missing, poisoned int
	err = stream.Read(t.Context(), conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		switch {
		case d.Err == nil && d.Record.Key != "":
			whole++
		case errors.Is(d.Err, stream.ErrNotYet) && d.Record.Key == "":
			missing++
		case d.Err != nil && d.Record.Key == "":
			poisoned++
		}
		return nil
	})
	if err != nil || whole != 1 || missing != 1 || poisoned != 1 {
		t.Errorf("%d whole, %d missing and %d poisoned, %v", whole, missing, poisoned, err)
	}
}
