package stream_test

import (
	"context"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/embednats"
	"juliu/pkg/record"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

const (
	resource = "sales-out"
	source   = "main"
)

// quiet is a logger that nobody reads.
func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// folder is a folder that outlives the server's last write, which t.TempDir does not promise.
func folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "juliu-stream") //nolint:usetesting // removed after the server's shutdown
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// serve runs a server until the test ends.
func serve(tb testing.TB, o embednats.Options) *embednats.Server {
	tb.Helper()
	o.Log = quiet()
	if o.Dir == "" {
		o.Dir = folder(tb)
	}
	server, err := embednats.Start(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server
}

// connect connects as a service until the test ends.
func connect(tb testing.TB, url string) *stream.Conn {
	tb.Helper()
	conn, err := stream.Connect(tb.Context(), stream.Config{URL: url, Name: "test"}, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn
}

// setup is a server with everything provisioned, and a connection to it.
func setup(tb testing.TB) (*embednats.Server, *stream.Conn) {
	tb.Helper()
	server := serve(tb, embednats.Options{})
	conn := connect(tb, server.URL())
	if _, err := stream.Provision(tb.Context(), conn, stream.Limits{}); err != nil {
		tb.Fatal(err)
	}
	return server, conn
}

func openJournal(tb testing.TB, conn *stream.Conn) *stream.Journal {
	tb.Helper()
	journal, err := stream.OpenJournal(tb.Context(), conn, resource, source)
	if err != nil {
		tb.Fatal(err)
	}
	return journal
}

// epoch is when the tests' orders begin.
func epoch() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// order is a record with a raw row of size bytes.
func order(n, size int) record.Record {
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = "0123456789abcdef"[(i*7+n)%16]
	}
	return record.Record{
		Source: source, Resource: resource, Shop: strconv.Itoa(10 + n%3), Key: strconv.Itoa(1_000_000 + n),
		Version: record.Version{TS: int64(n + 1), Modified: epoch().Add(time.Duration(n) * time.Second)},
		Hash:    record.Hash{byte(n), byte(n >> 8), byte(n >> 16), 1},
		Payload: &jushuitanv1.SalesOutOrder{}, Raw: raw, FetchedAt: epoch(),
	}
}

func orders(from, count, size int) []record.Record {
	rs := make([]record.Record, 0, count)
	for n := from; n < from+count; n++ {
		rs = append(rs, order(n, size))
	}
	return rs
}

func checkpoint(at time.Time) *juliuv1.Checkpoint {
	return &juliuv1.Checkpoint{Cursor: timestamppb.New(at)}
}

// stored reads everything back.
func stored(tb testing.TB, conn *stream.Conn) []record.Record {
	tb.Helper()
	var rs []record.Record
	err := stream.Read(tb.Context(), conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		if d.Err != nil {
			return d.Err
		}
		rs = append(rs, d.Record)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rs
}

func commit(ctx context.Context, tb testing.TB, j *stream.Journal, rs []record.Record) {
	tb.Helper()
	if err := j.Commit(ctx, rs, checkpoint(epoch())); err != nil {
		tb.Fatal(err)
	}
}
