package stream_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

func TestDeadLettersAreKeptWholeAndOnce(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{MaxPayload: 1 << 16})
	conn := connect(t, server.URL())
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, conn)
	commit(t.Context(), t, j, orders(0, 1, 100))
	commit(t.Context(), t, j, orders(1, 1, 1<<16-5000))
	large := noise(2, 1<<17)
	if err := j.Commit(t.Context(), append(orders(2, 0, 0), large), checkpoint(epoch())); err != nil {
		t.Fatal(err)
	}
	collect(t, openConsumer(t, conn), 3, func(d stream.Delivery) error {
		for range 3 {
			if err := conn.KeepDelivery(t.Context(), d, "the sink\r\nsays no", "rejected"); err != nil {
				return err
			}
		}
		return d.Term("rejected")
	})
	row := []byte(`{"o_id":null}`)
	for range 3 {
		if err := conn.KeepRow(t.Context(), source, resource, row, "no identity", "no-identity"); err != nil {
			t.Fatal(err)
		}
	}
	if got := lag(t, conn); got.DeadLetters != 4 || got.Lag() != 0 {
		t.Fatalf("%d dead letters, lag %d", got.DeadLetters, got.Lag())
	}
	dead, err := raw(t, server).Stream(t.Context(), stream.DeadLetterStream)
	if err != nil {
		t.Fatal(err)
	}
	first := message(t, dead, 1)
	for header, want := range map[string]string{
		stream.HeaderReason: "the sink says no", stream.HeaderClass: "rejected", stream.HeaderSequence: "1", stream.HeaderDeliveries: "1",
		stream.HeaderStream: stream.Stream, stream.HeaderConsumer: stream.LiveConsumer, stream.HeaderKey: order(0, 0).Key,
		stream.HeaderSubject: stream.RecordSubject(order(0, 0)), "Nats-Batch-Id": "",
	} {
		if got := first.Header.Get(header); got != want {
			t.Errorf("header %s is %q, want %q", header, got, want)
		}
	}
	if want := stream.DeadLetterSubject(resource, source, "10", 0); first.Subject[:len(want)-1] != want[:len(want)-1] {
		t.Errorf("kept at %s", first.Subject)
	}
	if got := message(t, dead, 3).Header.Get(stream.HeaderObject); got == "" {
		t.Error("the large row lost its object")
	}
	if last := message(t, dead, 4); string(last.Data) != string(row) || last.Header.Get(stream.HeaderContent) != "row" {
		t.Errorf("the row is kept as %q", last.Data)
	}
}

func TestALetterIsNotTakenForOneOfTheSameSequenceOrOneThatWasDeleted(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	js := raw(t, server)
	keep := func(d stream.Delivery) error { return conn.KeepDelivery(t.Context(), d, "no", "rejected") }
	commit(t.Context(), t, openJournal(t, conn), orders(0, 1, 100))
	collect(t, openConsumer(t, conn), 1, func(d stream.Delivery) error { return errors.Join(keep(d), d.Term("no")) })
	if err := js.DeleteStream(t.Context(), stream.Stream); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	commit(t.Context(), t, openJournal(t, conn), orders(1, 1, 100))
	dead, err := js.Stream(t.Context(), stream.DeadLetterStream)
	if err != nil {
		t.Fatal(err)
	}
	collect(t, openConsumer(t, conn), 1, func(d stream.Delivery) error {
		err := keep(d)
		if got := lag(t, conn); d.Sequence != 1 || got.DeadLetters != 2 {
			t.Errorf("of two records of sequence 1, the second one's is %d, %d dead letters are kept, want 2", d.Sequence, got.DeadLetters)
		}
		return errors.Join(err, dead.Purge(t.Context()), keep(d), d.Term("no"))
	})
	if got := lag(t, conn); got.DeadLetters != 1 {
		t.Errorf("after a purge %d dead letters are kept, want 1", got.DeadLetters)
	}
}

func message(tb testing.TB, s jetstream.Stream, sequence uint64) *jetstream.RawStreamMsg {
	tb.Helper()
	m, err := s.GetMsg(tb.Context(), sequence)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}
