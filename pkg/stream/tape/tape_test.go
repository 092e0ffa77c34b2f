package tape_test

import (
	"context"
	"io"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"juliu/pkg/chaos"
	"juliu/pkg/embednats"
	"juliu/pkg/secret"
	"juliu/pkg/stream/tape"
)

func start(t *testing.T, dir string, port int) *embednats.Server {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := embednats.Start(t.Context(), embednats.Options{Dir: dir, Port: port, Token: secret.New("token"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

//nolint:ireturn // nats.go hands out interfaces
func open(t *testing.T, url string) (*tape.Tape, jetstream.JetStream) {
	t.Helper()
	recorder, err := tape.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(recorder.Close)
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return recorder, js
}

func publish(t *testing.T, js jetstream.JetStream, subject, text string) {
	t.Helper()
	for {
		_, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: []byte(text), Header: nats.Header{"Jst-Key": {text}}})
		if err == nil {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestCopyAndPositionAreWhatTheServerHolds(t *testing.T) {
	t.Parallel()
	recorder, js := open(t, start(t, t.TempDir(), 0).URL())
	ctx := t.Context()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"a.>"}}); err != nil {
		t.Fatal(err)
	}
	if err := recorder.Copy(ctx, "S", func(m chaos.Message) error { t.Errorf("an empty stream has %v", m); return nil }); err != nil {
		t.Fatal(err)
	}
	consumer, err := js.CreateConsumer(ctx, "S", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	const n = 700 // more than one pull brings
	for i := range n {
		publish(t, js, "a."+strconv.Itoa(i%3), strconv.Itoa(i))
	}
	var copied []chaos.Message
	if err := recorder.Copy(ctx, "S", func(m chaos.Message) error { copied = append(copied, m); return nil }); err != nil {
		t.Fatal(err)
	}
	for i, m := range copied {
		if text := strconv.Itoa(i); m.Sequence != uint64(i+1) || m.Subject != "a."+strconv.Itoa(i%3) || string(m.Body) != text || m.Header["Jst-Key"][0] != text {
			t.Fatalf("message %d is copied as %v", i, m)
		}
	}
	if len(copied) != n {
		t.Errorf("%d messages copied, want %d", len(copied), n)
	}
	last, err := recorder.Last(ctx, "S", "a.0")
	if err != nil || string(last.Body) != strconv.Itoa(n-1) {
		t.Errorf("the last message of a.0: %v, %v", last, err)
	}
	m, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DoubleAck(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.Next(); err != nil {
		t.Fatal(err)
	}
	at, err := recorder.Position(ctx, "S", "c", time.Now)
	if err != nil || at.Acked != 1 || at.Unacked != 1 || at.Pending != n-2 || at.At.IsZero() || at.Created.IsZero() {
		t.Errorf("position: %+v, %v", at, err)
	}
}

func TestFollowSeesEveryMessageThroughARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir, 0)
	recorder, js := open(t, server.URL())
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"a.>"}, Storage: jetstream.FileStorage}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen, ended := make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- recorder.Follow(ctx, "S", "a.x", func(m chaos.Message) error { seen <- string(m.Body); return nil })
	}()
	var got []string
	take := func() {
		select {
		case text := <-seen:
			got = append(got, text)
		case <-time.After(30 * time.Second):
			t.Fatalf("nothing more after %v", got)
		}
	}
	publish(t, js, "a.x", "1")
	take()
	nc := js.Conn()
	port := portOf(t, nc.ConnectedAddr())
	server.Close()
	start(t, dir, port)
	publish(t, js, "a.y", "not followed")
	publish(t, js, "a.x", "2")
	publish(t, js, "a.x", "3")
	take()
	take()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("followed %v", got)
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	at := slices.Index([]byte(address), ':')
	port, err := strconv.Atoi(address[at+1:])
	if err != nil {
		t.Fatal(err)
	}
	return port
}
