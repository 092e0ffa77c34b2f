package control_test

import (
	"io"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
)

// quiet is a logger that nobody reads.
func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// serve runs a server until the test ends. Its folder outlives the server's last write, which t.TempDir does not promise.
func serve(tb testing.TB, o embednats.Options) (*embednats.Server, embednats.Options) {
	tb.Helper()
	o.Log = quiet()
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "juliu-control") //nolint:usetesting // removed after the server's shutdown
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = os.RemoveAll(dir) })
		o.Dir = dir
	}
	server, err := embednats.Start(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	address, err := url.Parse(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	if o.Port, err = strconv.Atoi(address.Port()); err != nil {
		tb.Fatal(err)
	}
	o.Token = secret.New(address.User.Username()) // so that another server can stand in its place
	return server, o
}

// connect connects as a service until the test ends.
func connect(tb testing.TB, where string) *stream.Conn {
	tb.Helper()
	conn, err := stream.Connect(tb.Context(), stream.Config{URL: where, Name: "test"}, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn
}

// setup is a server with the buckets, and a connection to it.
func setup(tb testing.TB) (*embednats.Server, *stream.Conn) {
	tb.Helper()
	server, _ := serve(tb, embednats.Options{})
	conn := connect(tb, server.URL())
	if _, err := control.Provision(tb.Context(), conn, 1); err != nil {
		tb.Fatal(err)
	}
	return server, conn
}

// rawJS is a plain client.
//
//nolint:ireturn // nats.go hands out interfaces
func rawJS(tb testing.TB, where string) jetstream.JetStream {
	tb.Helper()
	nc, err := nats.Connect(where, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// editBucket changes a bucket behind juliu's back.
func editBucket(tb testing.TB, js jetstream.JetStream, bucket string, edit func(*jetstream.StreamConfig)) {
	tb.Helper()
	s, err := js.Stream(tb.Context(), "KV_"+bucket)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	edit(&cfg)
	if _, err := js.UpdateStream(tb.Context(), cfg); err != nil {
		tb.Fatal(err)
	}
}

func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}

// epoch is the tests' clock.
func epoch() time.Time { return time.Date(2026, 11, 24, 16, 16, 33, 0, time.UTC) }
