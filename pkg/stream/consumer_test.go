package stream_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

func openConsumer(tb testing.TB, conn *stream.Conn, prefetch int) *stream.Consumer {
	tb.Helper()
	k, err := stream.OpenConsumer(tb.Context(), conn, stream.LiveConsumer, prefetch)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// collect runs a consumer until it has seen count deliveries, and returns them.
func collect(tb testing.TB, k *stream.Consumer, count int, handle func(stream.Delivery) error) []stream.Delivery {
	tb.Helper()
	intake, enough := context.WithCancel(tb.Context())
	defer enough()
	var seen []stream.Delivery
	err := k.Run(intake, tb.Context(), func(d stream.Delivery) {
		seen = append(seen, d)
		if err := handle(d); err != nil {
			tb.Error(err)
		}
		if len(seen) == count {
			enough()
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return seen
}

func lag(tb testing.TB, conn *stream.Conn) stream.Snapshot {
	tb.Helper()
	snap, err := stream.TakeSnapshot(tb.Context(), conn)
	if err != nil {
		tb.Fatal(err)
	}
	return snap
}

func TestDeliveriesCarryTheRecordAndItsPlace(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 3, 100))
	seen := collect(t, openConsumer(t, conn, 10), 3, stream.Delivery.Ack)
	d := seen[1]
	want := order(1, 100)
	if d.Record.Key != want.Key || d.Record.Hash != want.Hash || d.Record.Version.Compare(want.Version) != 0 || string(d.Record.Raw) != string(want.Raw) {
		t.Errorf("record %+v", d.Record)
	}
	if d.Sequence != 2 || d.Attempt != 1 || d.Pending != 1 || d.Record.Sequence != 2 || d.Published.IsZero() || !d.Record.Published.Equal(d.Published) ||
		d.Subject != stream.RecordSubject(want) {
		t.Errorf("delivery %+v", d)
	}
	eventually(t, "all is acknowledged", func() bool { return lag(t, conn).Lag() == 0 })
}

// busy is a handler at work.
func busy(work time.Duration) {
	<-time.After(work)
}

func TestDrainHandsOverAllThatIsBuffered(t *testing.T) {
	t.Parallel()
	const count, prefetch = 1000, 200
	_, conn := setup(t)
	fill(t, conn, count, 100)
	k := openConsumer(t, conn, prefetch)
	intake, stop := context.WithCancel(t.Context())
	var handled, inside atomic.Int32
	err := k.Run(intake, t.Context(), func(d stream.Delivery) {
		inside.Add(1)
		defer inside.Add(-1)
		if handled.Add(1) == 5 {
			// Wait until the buffer is full, so that there is something to drain.
			eventually(t, "the buffer fills", func() bool { return lag(t, conn).AckPending >= prefetch/2 })
			stop()
		}
		busy(time.Millisecond)
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	})
	if err != nil || inside.Load() != 0 {
		t.Fatal(err, inside.Load())
	}
	eventually(t, "nothing is pending for an acknowledgement", func() bool { return lag(t, conn).AckPending == 0 })
	if got := lag(t, conn); handled.Load() < prefetch/2 || got.Pending != count-uint64(handled.Load()) {
		t.Errorf("handled %d, the server counts %d pending", handled.Load(), got.Pending)
	}
}

func TestRunEndsWithWorkAndLeavesTheRestToOthers(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	fill(t, conn, 100, 100)
	work, stop := context.WithCancel(t.Context())
	var handled, inside atomic.Int32
	err := openConsumer(t, conn, 50).Run(t.Context(), work, func(stream.Delivery) {
		inside.Add(1)
		defer inside.Add(-1)
		handled.Add(1)
		stop()
		busy(100 * time.Millisecond)
	})
	if err != nil || handled.Load() != 1 || inside.Load() != 0 {
		t.Errorf("handled %d, %d still inside, %v", handled.Load(), inside.Load(), err)
	}
}

func TestVerbsDecideWhatComesAgain(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 4, 100))
	seen := collect(t, openConsumer(t, conn, 10), 5, func(d stream.Delivery) error {
		switch {
		case d.Sequence == 1 && d.Attempt == 1:
			return d.NakWithDelay(50 * time.Millisecond)
		case d.Sequence == 2:
			return d.Term("never")
		case d.Sequence == 3:
			if err := d.InProgress(); err != nil {
				return err
			}
			return d.Ack()
		default:
			return d.Ack()
		}
	})
	if last := seen[4]; last.Sequence != 1 || last.Attempt != 2 {
		t.Errorf("the fifth delivery is %d, attempt %d", last.Sequence, last.Attempt)
	}
	eventually(t, "all is settled", func() bool { return lag(t, conn).Lag() == 0 })
	if err := (stream.Delivery{}).Ack(); err == nil {
		t.Error("a delivery from nowhere is acknowledged")
	}
}

func TestLoadersShareTheDurable(t *testing.T) {
	t.Parallel()
	const count = 3000
	server, conn := setup(t)
	fill(t, conn, count, 100)
	intake, enough := context.WithCancel(t.Context())
	defer enough()
	var mu sync.Mutex
	seen, each := map[uint64]int{}, make([]int, 3)
	var group sync.WaitGroup
	for i := range each {
		k := openConsumer(t, connect(t, server.URL()), 100)
		group.Go(func() {
			err := k.Run(intake, t.Context(), func(d stream.Delivery) {
				mu.Lock()
				defer mu.Unlock()
				seen[d.Sequence]++
				each[i]++
				if err := d.Ack(); err != nil {
					t.Error(err)
				}
				if len(seen) == count {
					enough()
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(seen) != count || slices.Min(each) == 0 {
		t.Errorf("%d records over %v", len(seen), each)
	}
}

func TestLargeRowsAreDeliveredOnceEach(t *testing.T) {
	t.Parallel()
	const count = 300
	_, conn := setup(t)
	j := openJournal(t, conn)
	for n := 0; n < count; n += 100 {
		commit(t.Context(), t, j, orders(n, 100, 256<<10))
	}
	seen := collect(t, openConsumer(t, conn, 500), count, func(d stream.Delivery) error {
		if d.Sequence == 1 {
			// Let everything arrive that will: 64 MiB is where nats.go begins to drop.
			var same, last uint64
			eventually(t, "no more is sent", func() bool {
				now := lag(t, conn).AckPending
				if same++; now != last {
					same = 0
				}
				last = now
				return same == 25
			})
		}
		return d.Ack()
	})
	for n, d := range seen {
		if d.Attempt != 1 || d.Record.Key != order(n, 0).Key {
			t.Fatalf("delivery %d is %s, attempt %d", n, d.Record.Key, d.Attempt)
		}
	}
}

func TestAPoisonedMessageIsDeliveredWithItsError(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	if _, err := raw(t, server).PublishMsg(t.Context(), &nats.Msg{Subject: "jst.record.sales-out.main.1.1", Data: []byte("not an envelope")}); err != nil {
		t.Fatal(err)
	}
	seen := collect(t, openConsumer(t, conn, 10), 1, func(d stream.Delivery) error { return d.Term("poison") })
	if seen[0].Err == nil || seen[0].Record.Key != "" {
		t.Errorf("delivery %+v", seen[0])
	}
}

func TestRunSurvivesServerRestarts(t *testing.T) {
	t.Parallel()
	const count = 2000
	dir := folder(t)
	server := serve(t, embednats.Options{Dir: dir})
	same := sameAddress(t, dir, server)
	conn := connect(t, server.URL())
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	fill(t, conn, count, 100)
	intake, enough := context.WithCancel(t.Context())
	defer enough()
	seen := map[uint64]struct{}{}
	err := openConsumer(t, conn, 100).Run(intake, t.Context(), func(d stream.Delivery) {
		if len(seen) == count/2 && d.Attempt == 1 {
			server.Close()
			server = serve(t, same)
		}
		seen[d.Sequence] = struct{}{}
		_ = d.Ack() // without a connection it fails, and the record comes again
		if len(seen) == count {
			enough()
		}
	})
	if err != nil || len(seen) != count {
		t.Errorf("%d records, %v", len(seen), err)
	}
}

func TestADeletedConsumerEndsRun(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 1, 100))
	k := openConsumer(t, conn, 10)
	js := raw(t, server)
	err := k.Run(t.Context(), t.Context(), func(stream.Delivery) {
		if err := js.DeleteConsumer(t.Context(), stream.Stream, stream.LiveConsumer); err != nil {
			t.Error(err)
		}
	})
	if _, ok := errors.AsType[*stream.TopologyError](err); !ok {
		t.Errorf("got %v, want a TopologyError", err)
	}
	if _, err := stream.OpenConsumer(t.Context(), conn, stream.LiveConsumer, 10); err == nil {
		t.Error("a consumer that is gone opens")
	}
}

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
	collect(t, openConsumer(t, conn, 10), 3, func(d stream.Delivery) error {
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
	collect(t, openConsumer(t, conn, 10), 1, func(d stream.Delivery) error { return errors.Join(keep(d), d.Term("no")) })
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
	collect(t, openConsumer(t, conn, 10), 1, func(d stream.Delivery) error {
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

func TestWhatFailsWithoutAConnectionIsNotSentLater(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := serve(t, embednats.Options{Dir: dir})
	same := sameAddress(t, dir, server)
	conn := connect(t, server.URL())
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	server.Close()
	eventually(t, "the connection is lost", func() bool { return !conn.Connected() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := conn.KeepRow(ctx, source, resource, []byte("{}"), "reason", "class"); err == nil || ctx.Err() != nil {
		t.Errorf("kept without a server, or not refused at once: %v", err)
	}
	serve(t, same)
	eventually(t, "it is ready again", func() bool { return conn.Ready(t.Context()) == nil })
	if got := lag(t, conn).DeadLetters; got != 0 {
		t.Errorf("%d dead letters came later", got)
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
