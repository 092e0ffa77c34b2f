package stream_test

import (
	"testing"
	"time"

	"juliu/pkg/stream"
)

// Copies are no records: a stream with copies alone starts a source anew, and they are not known rows.
func TestCopiesAreNoRecords(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 5, 100))
	reject(t, conn, 5)
	if err := raw(t, server).DeleteStream(t.Context(), stream.Stream); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	if got := requeue(t.Context(), t, conn, letters(t, conn)); got[stream.Requeued] != 5 {
		t.Fatal(got)
	}
	known, err := stream.LoadKnown(t.Context(), conn, resource, source, time.Unix(0, 0), 0)
	if err != nil || known.Len() != 0 {
		t.Errorf("%d known, %v", known.Len(), err)
	}
	openJournal(t, conn)
	if snap := lag(t, conn); snap.Records != 0 || snap.Pending != 5 {
		t.Errorf("%+v", snap)
	}
}
