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

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

func openConsumer(tb testing.TB, conn *stream.Conn) *stream.Consumer {
	tb.Helper()
	k, err := stream.OpenConsumer(tb.Context(), conn, stream.LiveConsumer)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// pulls is room for n deliveries at every pull.
func pulls(n int) func(context.Context) int {
	return func(ctx context.Context) int {
		if ctx.Err() != nil {
			return 0
		}
		return n
	}
}

// collect runs a consumer until it has seen count deliveries, and returns them.
func collect(tb testing.TB, k *stream.Consumer, count int, handle func(stream.Delivery) error) []stream.Delivery {
	tb.Helper()
	intake, enough := context.WithCancel(tb.Context())
	defer enough()
	var seen []stream.Delivery
	err := k.Run(intake, tb.Context(), pulls(500), func(d stream.Delivery) {
		d, err := d.Read(tb.Context())
		if err != nil {
			tb.Error(err)
		}
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
	seen := collect(t, openConsumer(t, conn), 3, stream.Delivery.Ack)
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

func TestWhenIntakeEndsAllThatWasPulledIsHandedOver(t *testing.T) {
	t.Parallel()
	const count, room = 1000, 200
	_, conn := setup(t)
	fill(t, conn, count, 100)
	intake, stop := context.WithCancel(t.Context())
	var handled, inside atomic.Int32
	err := openConsumer(t, conn).Run(intake, t.Context(), pulls(room), func(d stream.Delivery) {
		inside.Add(1)
		defer inside.Add(-1)
		if handled.Add(1) == 5 {
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
	if got := lag(t, conn); handled.Load() != room || got.Pending != count-room {
		t.Errorf("handled %d, the server counts %d pending; want the %d of the pull handled", handled.Load(), got.Pending, room)
	}
}

func TestWhatComesAfterIntakeEndedDuringAPullIsHandedOver(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	j := openJournal(t, conn)
	intake, stop := context.WithCancel(t.Context())
	asked := make(chan struct{}, 1)
	ended := make(chan error, 1)
	var handled atomic.Int32
	k := openConsumer(t, conn)
	go func() {
		ended <- k.Run(intake, t.Context(), func(ctx context.Context) int {
			select {
			case asked <- struct{}{}:
			default:
			}
			return pulls(10)(ctx)
		}, func(d stream.Delivery) {
			handled.Add(1)
			if err := d.Ack(); err != nil {
				t.Error(err)
			}
		})
	}()
	<-asked
	eventually(t, "the server has the pull", func() bool { return waiting(t, conn) == 1 })
	stop()
	commit(t.Context(), t, j, orders(0, 3, 100))
	// On a machine that stood still for two seconds the pull has ended before.
	if err := <-ended; err != nil || uint64(handled.Load())+lag(t, conn).Pending != 3 {
		t.Errorf("handled %d, %d not delivered, want 3 together; %v", handled.Load(), lag(t, conn).Pending, err)
	}
}

func TestRunEndsWithWorkAndLeavesTheRestToOthers(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	fill(t, conn, 100, 100)
	work, stop := context.WithCancel(t.Context())
	var handled, inside atomic.Int32
	err := openConsumer(t, conn).Run(t.Context(), work, pulls(50), func(stream.Delivery) {
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
	seen := collect(t, openConsumer(t, conn), 5, func(d stream.Delivery) error {
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
		k := openConsumer(t, connect(t, server.URL()))
		group.Go(func() {
			err := k.Run(intake, t.Context(), pulls(100), func(d stream.Delivery) {
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
	seen := collect(t, openConsumer(t, conn), count, func(d stream.Delivery) error {
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
	seen := collect(t, openConsumer(t, conn), 1, func(d stream.Delivery) error { return d.Term("poison") })
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
	err := openConsumer(t, conn).Run(intake, t.Context(), pulls(100), func(d stream.Delivery) {
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
	k := openConsumer(t, conn)
	js := raw(t, server)
	err := k.Run(t.Context(), t.Context(), pulls(10), func(stream.Delivery) {
		if err := js.DeleteConsumer(t.Context(), stream.Stream, stream.LiveConsumer); err != nil {
			t.Error(err)
		}
	})
	if _, ok := errors.AsType[*stream.TopologyError](err); !ok {
		t.Errorf("got %v, want a TopologyError", err)
	}
	if _, err := stream.OpenConsumer(t.Context(), conn, stream.LiveConsumer); err == nil {
		t.Error("a consumer that is gone opens")
	}
}

func TestAConsumerThatWasDeletedWhileNothingWasPulledEndsRun(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	k := openConsumer(t, conn)
	js := raw(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var once sync.Once
	err := k.Run(ctx, ctx, func(ctx context.Context) int {
		once.Do(func() {
			if err := js.DeleteConsumer(ctx, stream.Stream, stream.LiveConsumer); err != nil {
				t.Error(err)
			}
		})
		if ctx.Err() != nil {
			return 0
		}
		return 10
	}, func(stream.Delivery) {})
	if _, ok := errors.AsType[*stream.TopologyError](err); !ok {
		t.Errorf("got %v, want a TopologyError", err)
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

// waiting is how many pulls wait at the server.
func waiting(tb testing.TB, conn *stream.Conn) int {
	tb.Helper()
	k, err := conn.JetStream().Consumer(tb.Context(), stream.Stream, stream.LiveConsumer)
	if err != nil {
		tb.Fatal(err)
	}
	return k.CachedInfo().NumWaiting
}
