package stream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	logrustest "github.com/sirupsen/logrus/hooks/test"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

func TestRunEndsWithWorkThoughThereIsNoRoom(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	work, stop := context.WithCancel(t.Context())
	err := openConsumer(t, conn).Run(t.Context(), work, func(ctx context.Context) int {
		stop()
		<-ctx.Done() // as a loader that holds all it can
		return 0
	}, func(stream.Delivery) { t.Error("a delivery without room") })
	if err != nil {
		t.Error(err)
	}
}

func TestALastingInterruptionIsToldOnce(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{})
	log, told := logrustest.NewNullLogger()
	conn, err := stream.Connect(t.Context(), stream.Config{URL: server.URL(), Name: "test"}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	k := openConsumer(t, conn)
	server.Close()
	eventually(t, "the connection is lost", func() bool { return !conn.Connected() })
	intake, enough := context.WithCancel(t.Context())
	defer enough()
	asked := 0
	err = k.Run(intake, t.Context(), func(ctx context.Context) int {
		if asked++; asked > 4 {
			enough()
		}
		return pulls(10)(ctx)
	}, func(stream.Delivery) {})
	times := 0
	for _, entry := range told.AllEntries() {
		if strings.HasPrefix(entry.Message, "deliveries interrupted") {
			times++
		}
	}
	if err != nil || times != 1 {
		t.Errorf("told %d times, want once; %v", times, err)
	}
}

func TestACallWithoutAConnectionSaysSo(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	server.Close()
	eventually(t, "the connection is lost", func() bool { return !conn.Connected() })
	everything := jetstream.OrderedConsumerConfig{}
	for name, call := range map[string]func(context.Context) error{
		"open the journal": func(ctx context.Context) error {
			_, err := stream.OpenJournal(ctx, conn, resource, source)
			return err
		},
		"learn what is stored": func(ctx context.Context) error {
			_, err := stream.LoadKnown(ctx, conn, resource, source, epoch(), 0)
			return err
		},
		"read": func(ctx context.Context) error {
			return conn.Scan(ctx, stream.Stream, everything, 1, func(jetstream.Msg, *jetstream.MsgMetadata) (bool, error) { return true, nil })
		},
		"keep a dead letter": func(ctx context.Context) error {
			return conn.KeepRow(ctx, source, resource, []byte("{}"), "reason", "class")
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := call(ctx); err == nil || !strings.Contains(err.Error(), "connection to NATS lost") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
