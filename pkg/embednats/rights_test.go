package embednats_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/control"
	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// serveDeployed runs a server with the users of deploy/nats/permissions.conf; every password is "password".
func serveDeployed(tb testing.TB) *server.Server {
	tb.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nats", "permissions.conf"))
	if err != nil {
		tb.Fatal(err)
	}
	var conf strings.Builder
	for _, user := range []string{"PROVISION", "EXTRACTOR", "LOADER", "READER", "OPERATOR", "AUDITOR"} {
		conf.WriteString("NATS_" + user + "_PASSWORD: password\n")
	}
	conf.Write(file)
	path := filepath.Join(folder(tb), "nats.conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	options.Host, options.Port, options.NoSigs, options.JetStream, options.StoreDir = "127.0.0.1", server.RANDOM_PORT, true, true, folder(tb)
	options.JetStreamMaxMemory, options.JetStreamMaxStore = 1<<20, 1<<30
	s, err := server.NewServer(options)
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

// denials fails the test for what the server refused, also where the client goes on without it.
type denials struct{ tb testing.TB }

func (denials) Levels() []logrus.Level { return logrus.AllLevels }

func (d denials) Fire(e *logrus.Entry) error {
	if strings.Contains(e.Message, "denied") {
		d.tb.Errorf("%s: %v", e.Message, e.Data)
	}
	return nil
}

// connectProcess connects as a user, under the name that its process has. A refused right fails the test.
func connectProcess(tb testing.TB, s *server.Server, user, process string) *stream.Conn {
	tb.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.AddHook(denials{tb})
	where := url.URL{Scheme: "nats", User: url.UserPassword(user, "password"), Host: s.Addr().String()}
	conn, err := stream.Connect(tb.Context(), stream.Config{URL: where.String(), Name: process}, log)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn
}

func TestEachDeployedUserCanDoItsWork(t *testing.T) {
	t.Parallel()
	s := serveDeployed(t)
	provision := connectProcess(t, s, "provision", "provision")
	for _, age := range []time.Duration{0, time.Hour} { // creates, then changes
		if _, err := stream.Provision(t.Context(), provision, stream.Limits{MaxAge: age}); err != nil {
			t.Fatal(err)
		}
		if _, err := control.Provision(t.Context(), provision, 1); err != nil {
			t.Fatal(err)
		}
		for _, bucket := range []string{control.LeaseBucket, control.JobBucket, control.TokenBucket} {
			if err := describe(t.Context(), provision, "KV_"+bucket); err != nil {
				t.Fatal(err)
			}
		}
	}
	works := []struct {
		user, process string
		work          func(context.Context, *stream.Conn) error
	}{
		{"extractor", "extractor", extract},
		{"extractor", "extractor", func(ctx context.Context, conn *stream.Conn) error {
			return errors.Join(lease(ctx, conn), plan(ctx, conn), watch(ctx, conn), renew(ctx, conn))
		}},
		{"operator", "juliu", func(ctx context.Context, conn *stream.Conn) error {
			return errors.Join(plan(ctx, conn), watch(ctx, conn), whoHolds(ctx, conn), snapshot(ctx, conn))
		}},
		{"auditor", "juliu", func(ctx context.Context, conn *stream.Conn) error {
			return errors.Join(plan(ctx, conn), watch(ctx, conn), whoHolds(ctx, conn), snapshot(ctx, conn), readAll(ctx, conn), readHeads(ctx, conn))
		}},
		{"reader", "juliu", func(ctx context.Context, conn *stream.Conn) error {
			return errors.Join(watch(ctx, conn), whoHolds(ctx, conn), snapshot(ctx, conn), readAll(ctx, conn), survey(ctx, conn))
		}},
		{"loader", "loader", func(ctx context.Context, conn *stream.Conn) error {
			return errors.Join(snapshot(ctx, conn), giveUp(ctx, conn))
		}},
		{"operator", "juliu", requeue},
		{"loader", "loader", giveUp},
		{"operator", "juliu", drop},
		{"extractor", "extractor", extractTwice},
		{"operator", "juliu", askReplay},
		{"loader", "loader", takeReplay},
		{"operator", "juliu", func(ctx context.Context, conn *stream.Conn) error {
			return errors.Join(askReplay(ctx, conn), stream.RemoveReplay(ctx, conn, "x", stream.ReplayPlan{Listed: true}))
		}},
	}
	for _, w := range works {
		if err := w.work(t.Context(), connectProcess(t, s, w.user, w.process)); err != nil {
			t.Errorf("%s: %v", w.user, err)
		}
	}
}

// describe changes a stream, so that Provision has to change it back.
func describe(ctx context.Context, conn *stream.Conn, name string) error {
	return conn.Call(ctx, "describe "+name, []string{"$JS.API."}, func(ctx context.Context) error {
		s, err := conn.JetStream().Stream(ctx, name)
		if err != nil {
			return err
		}
		cfg := s.CachedInfo().Config
		cfg.Description = "changed"
		_, err = conn.JetStream().UpdateStream(ctx, cfg)
		return err
	})
}

func extract(ctx context.Context, conn *stream.Conn) error {
	j, err := stream.OpenJournal(ctx, conn, "sales-out", "main")
	if err != nil {
		return err
	}
	row := record.Record{
		Resource: "sales-out", Source: "main", Shop: "1", Key: "7", Version: record.Version{TS: 1}, Payload: &jushuitanv1.SalesOutOrder{},
	}
	if err := j.Commit(ctx, []record.Record{row}, &juliuv1.Checkpoint{Cursor: timestamppb.New(time.Unix(0, 0))}); err != nil {
		return err
	}
	_, err = stream.LoadKnown(ctx, conn, "sales-out", "main", time.Unix(0, 0), 0)
	if err == nil {
		_, err = stream.LoadKnownOf(ctx, conn, "sales-out", "main", "1", time.Unix(0, 0))
	}
	return err
}

func lease(ctx context.Context, conn *stream.Conn) error {
	leases, err := control.OpenLeases(ctx, conn, quiet())
	if err != nil {
		return err
	}
	for range 2 { // the second time over the mark of the first one's release
		if err := leases.Hold(ctx, "main", control.Holder{Name: "x"}, func(ctx context.Context) error {
			_, held, err := leases.Current(ctx, "main")
			if !held {
				return errors.Join(err, errors.New("nobody holds the lease"))
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func plan(ctx context.Context, conn *stream.Conn) error {
	jobs, err := control.OpenJobs(ctx, conn, time.Now)
	if err != nil {
		return err
	}
	job, err := jobs.Create(ctx, "backfill", "main", nil)
	if err != nil {
		return err
	}
	_, err = jobs.Change(ctx, job.ID, func(j *control.Job) error { return j.Move(control.Planned) })
	return err
}

func watch(ctx context.Context, conn *stream.Conn) error {
	jobs, err := control.OpenJobs(ctx, conn, time.Now)
	if err != nil {
		return err
	}
	list, err := jobs.List(ctx)
	if err != nil || len(list) == 0 {
		return errors.Join(err, errors.New("no jobs"))
	}
	if _, err := jobs.Find(ctx, list[0].ID); err != nil {
		return err
	}
	seen := 0
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return jobs.Watch(ctx, func(control.Job) error {
		if seen++; seen == len(list) {
			cancel()
		}
		return nil
	})
}

func whoHolds(ctx context.Context, conn *stream.Conn) error {
	leases, err := control.OpenLeases(ctx, conn, quiet())
	if err != nil {
		return err
	}
	_, _, err = leases.Current(ctx, "main")
	return err
}

func renew(ctx context.Context, conn *stream.Conn) error {
	tokens, err := control.OpenTokens(ctx, conn, secret.New("app secret"))
	if err != nil {
		return err
	}
	revision, err := tokens.Save(ctx, "main", control.Token{Access: secret.New("a")}, 0)
	if err != nil {
		return err
	}
	if revision, err = tokens.Save(ctx, "main", control.Token{Access: secret.New("b")}, revision); err != nil {
		return err
	}
	token, at, err := tokens.Load(ctx, "main")
	if err == nil && (at != revision || token.Access.Reveal() != "b") {
		err = errors.New("another token")
	}
	return err
}

func snapshot(ctx context.Context, conn *stream.Conn) error {
	_, err := stream.TakeSnapshot(ctx, conn)
	return err
}

// survey is what status and doctor ask beside the snapshot.
func survey(ctx context.Context, conn *stream.Conn) error {
	_, accountErr := stream.DescribeAccount(ctx, conn)
	_, streamErr := stream.DescribeStream(ctx, conn, stream.DeadLetterStream)
	_, shopsErr := stream.Shops(ctx, conn)
	sources, err := stream.Sources(ctx, conn)
	if err == nil && (len(sources) != 1 || sources[0].Sequence == 0) {
		err = fmt.Errorf("the sources are %+v", sources)
	}
	return errors.Join(accountErr, streamErr, shopsErr, err, stream.Check(ctx, conn))
}

func readAll(ctx context.Context, conn *stream.Conn) error {
	n := 0
	err := stream.Read(ctx, conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		n++
		return d.Err
	})
	if n == 0 {
		err = errors.Join(err, errors.New("no records"))
	}
	return err
}

func readHeads(ctx context.Context, conn *stream.Conn) error {
	return stream.ReadHeads(ctx, conn, stream.ReadOptions{Resource: "sales-out", Source: "main"}, func(stream.Head) error { return nil })
}

func TestDeployedUsersCannotDoAnothersWork(t *testing.T) {
	t.Parallel()
	s := serveDeployed(t)
	provision := connectProcess(t, s, "provision", "provision")
	if _, err := control.Provision(t.Context(), provision, 1); err != nil {
		t.Fatal(err)
	}
	if err := renew(t.Context(), connectProcess(t, s, "extractor", "extractor")); err != nil {
		t.Fatal(err)
	}
	const tokens = "KV_juliu-tokens"
	api := "$JS.API."
	token := []string{
		"$KV.juliu-tokens.main", api + "STREAM.INFO." + tokens, api + "STREAM.MSG.GET." + tokens, api + "DIRECT.GET." + tokens + ".$KV.juliu-tokens.main",
		api + "CONSUMER.CREATE." + tokens + ".x", api + "CONSUMER.CREATE." + tokens, api + "CONSUMER.DURABLE.CREATE." + tokens + ".x",
		api + "CONSUMER.MSG.NEXT." + tokens + ".x", api + "STREAM.DELETE." + tokens, api + "STREAM.PURGE." + tokens, api + "STREAM.UPDATE." + tokens,
		api + "STREAM.SNAPSHOT." + tokens,
	}
	lease := []string{"$KV.juliu-leases.main", api + "STREAM.DELETE.KV_juliu-leases", api + "STREAM.PURGE.KV_juliu-leases"}
	job := []string{"$KV.juliu-jobs.backfill.1", api + "STREAM.DELETE.KV_juliu-jobs", api + "STREAM.PURGE.KV_juliu-jobs"}
	audit := []string{
		"jst.audit.dlq", api + "STREAM.MSG.DELETE.JUSHUITAN_AUDIT", api + "STREAM.PURGE.JUSHUITAN_AUDIT", api + "STREAM.UPDATE.JUSHUITAN_AUDIT",
		api + "STREAM.DELETE.JUSHUITAN_AUDIT",
	}
	live := []string{
		api + "CONSUMER.CREATE.JUSHUITAN.loader", api + "CONSUMER.CREATE.JUSHUITAN.loader.jst.record.>", api + "CONSUMER.DELETE.JUSHUITAN.loader",
		api + "CONSUMER.MSG.NEXT.JUSHUITAN.loader",
	}
	for user, refused := range map[string][]string{
		"loader": slices.Concat(token, lease, job, live[:3], []string{
			api + "STREAM.MSG.GET.KV_juliu-leases", api + "CONSUMER.CREATE.JUSHUITAN.x", "jst.record.sales-out.main.1.7",
		}),
		"reader": slices.Concat(token, lease, job, audit, live, []string{"jst.record.sales-out.main.1.7.requeue", api + "STREAM.MSG.DELETE.JUSHUITAN_DLQ"}),
		"operator": slices.Concat(token, lease, job[1:], audit[1:], live, []string{
			"jst.record.sales-out.main.1.7", "jst.dlq.sales-out.main.1.7", "jst.checkpoint.sales-out.main", api + "STREAM.PURGE.JUSHUITAN_DLQ",
			api + "STREAM.MSG.DELETE.JUSHUITAN",
		}),
		"auditor":   slices.Concat(token, lease, job[1:], live, []string{"jst.record.sales-out.main.1.1", "jst.checkpoint.sales-out.main"}),
		"extractor": slices.Concat(lease[1:], job[1:], token[4:], live, []string{"$KV.juliu-leases.other", "$KV.juliu-tokens.other"}),
		"provision": {"$KV.juliu-tokens.main", "$KV.juliu-leases.main", "$KV.juliu-jobs.backfill.1", api + "STREAM.MSG.GET." + tokens, api + "STREAM.DELETE." + tokens},
	} {
		denied := refusals(t, s, user, refused)
		for _, subject := range refused {
			if !denied[subject] {
				t.Errorf("%s may publish to %s", user, subject)
			}
		}
	}
}

// refusals publishes to each subject and returns those that the server refused.
func refusals(t *testing.T, s *server.Server, user string, subjects []string) map[string]bool {
	t.Helper()
	return refused(t, s, user, `Publish to "`, func(nc *nats.Conn, subject string) error { return nc.Publish(subject, []byte("{}")) }, subjects)
}

// refused does something with each subject as a user and returns those that the server refused. It tells in order, so that nothing comes
// after its word on a subject to which nobody has a right.
func refused(t *testing.T, s *server.Server, user, says string, do func(*nats.Conn, string) error, subjects []string) map[string]bool {
	t.Helper()
	const last = "nobody.may"
	where := url.URL{Scheme: "nats", User: url.UserPassword(user, "password"), Host: s.Addr().String()}
	told := make(chan string, len(subjects)+1)
	nc, err := nats.Connect(where.String(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if _, rest, ok := strings.Cut(err.Error(), says); ok {
			subject, _, _ := strings.Cut(rest, `"`)
			told <- subject
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range append(slices.Clone(subjects), last) {
		if err := do(nc, subject); err != nil {
			t.Fatal(err)
		}
	}
	denied, deadline := map[string]bool{}, time.After(10*time.Second)
	for !denied[last] {
		select {
		case subject := <-told:
			denied[subject] = true
		case <-deadline:
			t.Fatalf("%s may do anything with %s", user, last)
		}
	}
	return denied
}
