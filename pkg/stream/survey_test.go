package stream_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"juliu/pkg/stream"
)

func TestTheSourcesAreToldWithCheckpointAndNewestRecord(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	if sources, err := stream.Sources(t.Context(), conn); err != nil || len(sources) != 0 {
		t.Fatalf("an empty stream has sources %+v, %v", sources, err)
	}
	j := openJournal(t, conn)
	rows := orders(0, 3, 10)
	commit(t.Context(), t, j, rows)
	other, err := stream.OpenJournal(t.Context(), conn, resource, "shop. 2")
	if err != nil {
		t.Fatal(err)
	}
	commit(t.Context(), t, other, nil)
	sources, err := stream.Sources(t.Context(), conn)
	if err != nil || len(sources) != 2 {
		t.Fatalf("got %+v, %v", sources, err)
	}
	first, second := sources[0], sources[1]
	if first.Source != source || first.Resource != resource || first.Sequence != 3 || first.Checkpoint.GetTotal() != 3 ||
		!first.Modified.Equal(rows[2].Version.Modified) || time.Since(first.Stored) > time.Minute {
		t.Errorf("the first is %+v", first)
	}
	if second.Source != "shop. 2" || second.Sequence != 0 || !second.Stored.IsZero() || !second.Checkpoint.GetCursor().AsTime().Equal(epoch()) {
		t.Errorf("the second is %+v", second)
	}
}

func TestWhatAServerTellsOfItself(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 5, 1000))
	server := conn.Server()
	account, err := stream.DescribeAccount(t.Context(), conn)
	if err != nil || account.APILevel < stream.MinAPILevel || account.Store == 0 || server.Version == "" || server.MaxPayload < stream.MinPayload || server.Cluster != "" {
		t.Errorf("server %+v, account %+v, %v", server, account, err)
	}
	condition, err := stream.DescribeStream(t.Context(), conn, stream.Stream)
	if err != nil || condition.Replicas != 1 || condition.Bytes == 0 || condition.MaxBytes != 0 || condition.Leaderless || condition.Behind != nil ||
		time.Since(condition.At).Abs() > time.Minute {
		t.Errorf("stream %+v, %v", condition, err)
	}
	if _, err := stream.DescribeStream(t.Context(), conn, "NOWHERE"); !isTopology(err) {
		t.Errorf("a stream that is missing: %v", err)
	}
}

func isTopology(err error) bool {
	_, ok := errors.AsType[*stream.TopologyError](err)
	return ok
}

func TestASnapshotTellsWhatTheLoadersHave(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	if s := lag(t, conn); s.Lag() != 0 || s.AckWait != stream.Provisioned().AckWait || s.MaxAckPending != stream.Provisioned().MaxAckPending || !s.Acked.IsZero() {
		t.Errorf("nothing was stored: %+v", s)
	}
	began := time.Now().Add(-time.Minute)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 5, 1000))
	s := lag(t, conn)
	if s.Pending != 5 || s.AckPending != 0 || s.Waiting != 0 {
		t.Errorf("snapshot %+v", s)
	}
	// A checkpoint of long ago before the records is none of them.
	if oldest, err := stream.OldestWaiting(t.Context(), conn, s); err != nil || oldest.Before(began) || oldest.After(time.Now().Add(time.Minute)) {
		t.Errorf("the oldest was stored at %v, %v", oldest, err)
	}
	s.AckFloor = s.LastSequence
	if oldest, err := stream.OldestWaiting(t.Context(), conn, s); err != nil || !oldest.IsZero() {
		t.Errorf("all were loaded meanwhile: %v, %v", oldest, err)
	}
	if oldest, err := stream.OldestWaiting(t.Context(), conn, stream.Snapshot{}); err != nil || !oldest.IsZero() {
		t.Errorf("nothing waits: %v, %v", oldest, err)
	}
}

func TestTheShopsOfASource(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	if shops, err := stream.Shops(t.Context(), conn); err != nil || len(shops) != 0 {
		t.Errorf("an empty stream has %v, %v", shops, err)
	}
	rows := orders(0, 40, 10)
	for i := range rows {
		rows[i].Shop = []string{"7", "0"}[i%2]
	}
	commit(t.Context(), t, openJournal(t, conn), rows)
	if shops, err := stream.Shops(t.Context(), conn); err != nil || len(shops) != 1 || !slices.Equal(shops[source], []string{"0", "7"}) {
		t.Errorf("the shops are %v, %v", shops, err)
	}
}
