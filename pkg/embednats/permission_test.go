package embednats_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/record"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// serveUsers runs a plain server, as operators do, with an administrator and a user who may not publish or subscribe to some subjects.
func serveUsers(tb testing.TB, publish, subscribe []string) *server.Server {
	tb.Helper()
	user := &server.User{Username: "user", Password: "password"}
	if len(publish)+len(subscribe) > 0 {
		user.Permissions = &server.Permissions{
			Publish: &server.SubjectPermission{Deny: publish}, Subscribe: &server.SubjectPermission{Deny: subscribe},
		}
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: folder(tb),
		JetStreamMaxMemory: 1 << 20, JetStreamMaxStore: 1 << 30,
		Users: []*server.User{{Username: "admin", Password: "password"}, user},
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the server does not start")
	}
	return s
}

func connectAs(tb testing.TB, s *server.Server, user string) *stream.Conn {
	tb.Helper()
	where := url.URL{Scheme: "nats", User: url.UserPassword(user, "password"), Host: s.Addr().String()}
	conn, err := stream.Connect(tb.Context(), stream.Config{URL: where.String(), Name: user}, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn
}

func TestAMissingRightIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	const resource, source = "sales-out", "main"
	rows := []record.Record{{
		Resource: resource, Source: source, Shop: "1", Key: "7", Version: record.Version{TS: 1}, Payload: &jushuitanv1.SalesOutOrder{},
	}}
	next := &juliuv1.Checkpoint{Cursor: timestamppb.New(time.Unix(0, 0))}
	commit := func(ctx context.Context, conn *stream.Conn) error {
		j, err := stream.OpenJournal(ctx, conn, resource, source)
		if err != nil {
			return err
		}
		return j.Commit(ctx, rows, next)
	}
	consume := func(ctx context.Context, conn *stream.Conn) error {
		k, err := stream.OpenConsumer(ctx, conn, stream.LiveConsumer)
		if err != nil {
			return err
		}
		return k.Run(ctx, ctx, func(context.Context) int { return 10 }, func(d stream.Delivery) { _ = d.Ack() })
	}
	for name, tc := range map[string]struct {
		publish, subscribe []string
		do                 func(context.Context, *stream.Conn) error
		want               stream.PermissionError
	}{
		"publish records": {
			publish: []string{"jst.record.>"}, do: commit,
			want: stream.PermissionError{Operation: "publish", Subject: stream.RecordSubject(rows[0])},
		},
		"publish checkpoints": {
			publish: []string{"jst.checkpoint.>"}, do: commit,
			want: stream.PermissionError{Operation: "publish", Subject: "jst.checkpoint.sales-out.main"},
		},
		"read the checkpoint": {
			publish: []string{"$JS.API.STREAM.MSG.GET.>"}, do: commit,
			want: stream.PermissionError{Operation: "publish", Subject: "$JS.API.STREAM.MSG.GET.JUSHUITAN"},
		},
		"look up the stream": {
			publish: []string{"$JS.API.STREAM.INFO.>"}, do: commit,
			want: stream.PermissionError{Operation: "publish", Subject: "$JS.API.STREAM.INFO.JUSHUITAN"},
		},
		"receive replies": {
			subscribe: []string{"_INBOX.>"}, do: commit,
			want: stream.PermissionError{Operation: "subscribe", Subject: "_INBOX.juliu.user"},
		},
		"look up the consumer": {
			publish: []string{"$JS.API.CONSUMER.INFO.>"}, do: consume,
			want: stream.PermissionError{Operation: "publish", Subject: "$JS.API.CONSUMER.INFO.JUSHUITAN.loader"},
		},
		"pull": {
			publish: []string{"$JS.API.CONSUMER.MSG.NEXT.>"}, do: consume,
			want: stream.PermissionError{Operation: "publish", Subject: "$JS.API.CONSUMER.MSG.NEXT.JUSHUITAN.loader"},
		},
		"acknowledge": {
			publish: []string{"$JS.ACK.>"}, do: consume,
			want: stream.PermissionError{Operation: "publish", Subject: "$JS.ACK.JUSHUITAN.loader"},
		},
		"keep dead letters": {
			publish: []string{"jst.dlq.>"},
			do: func(ctx context.Context, conn *stream.Conn) error {
				return conn.KeepRow(ctx, source, resource, []byte("{}"), "reason", "class")
			},
			want: stream.PermissionError{Operation: "publish", Subject: "jst.dlq.sales-out.main.0"},
		},
		"provision": {
			publish: []string{"$JS.API.STREAM.UPDATE.>"},
			do: func(ctx context.Context, conn *stream.Conn) error {
				_, err := stream.Provision(ctx, conn, stream.Limits{MaxAge: time.Hour})
				return err
			},
			want: stream.PermissionError{Operation: "publish", Subject: "$JS.API.STREAM.UPDATE.JUSHUITAN"},
		},
		"read": {
			publish: []string{"$JS.API.CONSUMER.CREATE.>"},
			do: func(ctx context.Context, conn *stream.Conn) error {
				return stream.Read(ctx, conn, stream.ReadOptions{}, func(stream.Delivery) error { return nil })
			},
			want: stream.PermissionError{Operation: "publish", Subject: "$JS.API.CONSUMER.CREATE.JUSHUITAN"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveUsers(t, tc.publish, tc.subscribe)
			admin := connectAs(t, s, "admin")
			if _, err := stream.Provision(t.Context(), admin, stream.Limits{}); err != nil {
				t.Fatal(err)
			}
			if err := commit(t.Context(), admin); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := tc.do(ctx, connectAs(t, s, "user"))
			denied, ok := errors.AsType[*stream.PermissionError](err)
			if !ok || denied.Operation != tc.want.Operation || len(denied.Subject) < len(tc.want.Subject) ||
				denied.Subject[:len(tc.want.Subject)] != tc.want.Subject || denied.ExitCode() != 2 {
				t.Errorf("got %v, want %v", err, &tc.want)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("took %s", took)
			}
			if err := fmt.Sprint(err); len(err) > 300 {
				t.Errorf("%d bytes of error", len(err))
			}
		})
	}
}
