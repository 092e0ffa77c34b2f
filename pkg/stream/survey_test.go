package stream_test

import (
	"errors"
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
	want := stream.Provisioned()
	consumer, err := stream.DescribeConsumer(t.Context(), conn)
	if err != nil || consumer.Pending != 5 || consumer.Waiting != 0 || consumer.AckWait != want.AckWait || consumer.MaxAckPending != want.MaxAckPending || !consumer.Acked.IsZero() {
		t.Errorf("consumer %+v, %v", consumer, err)
	}
	if _, err := stream.DescribeStream(t.Context(), conn, "NOWHERE"); !isTopology(err) {
		t.Errorf("a stream that is missing: %v", err)
	}
}

func isTopology(err error) bool {
	_, ok := errors.AsType[*stream.TopologyError](err)
	return ok
}
