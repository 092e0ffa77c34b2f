package stream_test

import (
	"testing"

	"juliu/pkg/stream"
)

func TestCommitStoresRecordsAndCheckpoint(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	j := openJournal(t, conn)
	if j.Checkpoint() != nil {
		t.Fatal("a new source has a checkpoint")
	}
	commit(t.Context(), t, j, orders(0, 50, 3000))
	commit(t.Context(), t, j, nil)
	commit(t.Context(), t, j, orders(50, 999, 4096))
	if got := len(stored(t, conn)); got != 1049 {
		t.Errorf("stored %d records, want 1049", got)
	}
	again := openJournal(t, conn)
	if got := again.Checkpoint(); got.GetTotal() != 1049 || got.GetCommit() != 3 || got.GetRecords() != 999 {
		t.Errorf("checkpoint %v", got)
	}
	if err := stream.Check(t.Context(), conn); err != nil {
		t.Error(err)
	}
	snap, err := stream.TakeSnapshot(t.Context(), conn)
	if err != nil || snap.Records != 1049 || snap.Lag() != 1049 {
		t.Errorf("snapshot %+v, %v", snap, err)
	}
}
