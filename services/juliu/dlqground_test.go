package juliu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	"juliu/services/loader"
)

// person is what must not be shown.
const person = "canary-person"

// orderOf is one order's row, with a version.
func orderOf(tb testing.TB, n int, ts int64) record.Record {
	tb.Helper()
	row := fmt.Sprintf(`{"io_id":%d,"shop_id":%d,"ts":%d,"modified":"2026-11-24 08:00:00","status":"Confirmed","pay_amount":"12.50",`+
		`"receiver_name":%q,"receiver_phone":%[4]q,"receiver_address":%[4]q,"shop_buyer_id":%[4]q,"buyer_message":%[4]q,"extra":%[4]q}`,
		5000+n, 10+n%2, ts, person)
	r, err := record.SalesOut().Decode("main", []byte(row), time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// commitOrders stores orders 0 to count-1, each counted by step.
func (g *ground) commitOrders(t *testing.T, count, step int, ts int64) {
	t.Helper()
	j, err := stream.OpenJournal(t.Context(), g.conn, "sales-out", "main")
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]record.Record, 0, count)
	for n := range count {
		rows = append(rows, orderOf(t, n*step, ts))
	}
	if err := j.Commit(t.Context(), rows, &juliuv1.Checkpoint{Cursor: timestamppb.New(time.Unix(0, 0))}); err != nil {
		t.Fatal(err)
	}
}

// fussy is a sink that takes nothing, for four causes, or when cured all.
type fussy struct {
	mu    sync.Mutex
	cured bool
	got   map[string][]int64 // versions by key
	tries int
}

func (f *fussy) Write(_ context.Context, batch []record.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	failed := map[int]error{}
	for i, r := range batch {
		f.tries++
		n, err := strconv.Atoi(r.Key)
		switch {
		case err != nil:
			return err
		case f.cured:
			f.got[r.Key] = append(f.got[r.Key], r.Version.TS)
		case n%4 == 3:
			failed[i] = fmt.Errorf("write from 127.0.0.1:%d: broken pipe", 30000+n)
		default:
			failed[i] = fmt.Errorf("%w: SQLSTATE 2200%d", sink.ErrRejected, n%4)
		}
	}
	if len(failed) > 0 {
		return &sink.BatchError{Failed: failed}
	}
	return nil
}

func (*fussy) Batch() sink.Batch           { return sink.Batch{Records: 50} }
func (*fussy) Close(context.Context) error { return nil }

// load runs the real loader with a sink until the lag is nothing.
func (g *ground) load(t *testing.T, f *fussy) {
	t.Helper()
	k, err := stream.OpenConsumer(t.Context(), g.conn, stream.LiveConsumer)
	if err != nil {
		t.Fatal(err)
	}
	l, err := loader.New(loader.Deps{
		Consumer: k, DeadLetters: g.conn, Sink: f, Log: quiet(), Registerer: prometheus.NewRegistry(),
		Lag: func(context.Context) (uint64, error) { return 0, nil },
	}, loader.Config{Workers: 4, MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	intake, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(intake, t.Context()) }()
	deadline, ticker := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer ticker.Stop()
	for g.snapshot(t).Lag() > 0 {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("not loaded")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func (g *ground) snapshot(t *testing.T) stream.Snapshot {
	t.Helper()
	snap, err := stream.TakeSnapshot(t.Context(), g.conn)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// failure is when and why a record was given up.
type failure struct {
	at            time.Time
	class, reason string
}

// keep makes dead letters of the next records.
func (g *ground) keep(t *testing.T, failures ...failure) {
	t.Helper()
	n := 0
	conn, err := stream.Connect(t.Context(), stream.Config{URL: g.nats, Name: "test", Now: func() time.Time { return failures[n].at }}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	k, err := stream.OpenConsumer(t.Context(), conn, stream.LiveConsumer)
	if err != nil {
		t.Fatal(err)
	}
	intake, enough := context.WithCancel(t.Context())
	defer enough()
	room := func(ctx context.Context) int {
		if ctx.Err() != nil {
			return 0
		}
		return 1
	}
	if err := k.Run(intake, t.Context(), room, func(d stream.Delivery) {
		f := failures[n]
		if err := errors.Join(conn.KeepDelivery(t.Context(), d, f.reason, f.class), d.Term(f.class)); err != nil {
			t.Error(err)
		}
		if n++; n == len(failures) {
			enough()
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// quiet is a logger that nobody reads.
func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}
