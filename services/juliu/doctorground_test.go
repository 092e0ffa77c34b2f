package juliu_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// spoiler makes one thing wrong.
type spoiler = func(t *testing.T, p *patient)

func both(all ...spoiler) spoiler {
	return func(t *testing.T, p *patient) {
		t.Helper()
		for _, spoil := range all {
			spoil(t, p)
		}
	}
}

func set(name, value string) spoiler {
	return func(_ *testing.T, p *patient) { p.env[name] = value }
}

// connectAt connects with a clock of its own.
func (p *patient) connectAt(t *testing.T, now func() time.Time) *stream.Conn {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	conn, err := stream.Connect(t.Context(), stream.Config{URL: p.nats, Name: "clock", Now: now}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// commitAt commits some records as an extractor did a while ago, whose cursor lies another while back.
func commitAt(ago, behind time.Duration, records int) spoiler {
	return func(t *testing.T, p *patient) {
		t.Helper()
		now := time.Now()
		conn := p.connectAt(t, func() time.Time { return now.Add(-ago) })
		journal, err := stream.OpenJournal(t.Context(), conn, "sales-out", "main")
		if err != nil {
			t.Fatal(err)
		}
		var rows []record.Record
		for range records {
			rows = append(rows, record.Record{
				Resource: "sales-out", Source: "main", Shop: "1", Key: "7", Version: record.Version{TS: 1}, Payload: &jushuitanv1.SalesOutOrder{},
			})
		}
		if err := journal.Commit(t.Context(), rows, &juliuv1.Checkpoint{Cursor: timestamppb.New(now.Add(-behind)), Filter: "status=all"}); err != nil {
			t.Fatal(err)
		}
	}
}

// holdLease holds the lease until the test ends, as a process of an hour ago that does nothing.
func holdLease(t *testing.T, p *patient) {
	t.Helper()
	holdTelling(t, p, nil)
}

// lowQuota is a holder that the ERP refused, and that reads otherwise.
func lowQuota(t *testing.T, p *patient) {
	t.Helper()
	commitAt(0, 0, 0)(t, p)
	holdTelling(t, p, func() control.Quota { return control.Quota{Used: 20, Allowed: 60, Configured: 100, Refused: 3} })
}

func holdTelling(t *testing.T, p *patient, quota func() control.Quota) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	leases, err := control.OpenLeases(t.Context(), p.conn, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	holding, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = leases.WithQuota(quota).Hold(ctx, "main", control.Holder{Name: "idle", Since: time.Now().Add(-time.Hour)}, func(ctx context.Context) error {
			close(holding)
			<-ctx.Done()
			return nil
		})
	}()
	t.Cleanup(func() { stop(); <-ended })
	<-holding
}

// auditWith is an audit of a source that is read, with this report.
func auditWith(report string) spoiler {
	return func(t *testing.T, p *patient) {
		t.Helper()
		commitAt(0, 0, 0)(t, p)
		job, err := p.jobs.Create(t.Context(), "audit", "main", struct{}{})
		for _, state := range []control.State{control.Planned, control.Running, control.Done} {
			if err == nil {
				_, err = p.jobs.Change(t.Context(), job.ID, func(j *control.Job) error {
					j.Report = json.RawMessage(report)
					return j.Move(state)
				})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const gapReport = `{"from":"2026-11-22T16:00:00Z","to":"2026-11-23T16:00:00Z","windows":[{"begin":"2026-11-22T16:00:00Z","end":"2026-11-23T16:00:00Z","missing":1}],` +
	`"differences":[{"in":"stream","kind":"missing","key":"7"}]}`

// saveToken stores a token that ends in a while, sealed with a secret.
func saveToken(appSecret string, left time.Duration) spoiler {
	return func(t *testing.T, p *patient) {
		t.Helper()
		tokens, err := control.OpenTokens(t.Context(), p.conn, secret.New(appSecret))
		if err == nil {
			_, err = tokens.Save(t.Context(), "main", control.Token{
				Access: secret.New(sandbox.DefaultAccessToken), Refresh: secret.New(sandbox.DefaultRefreshToken),
				Expires: time.Now().Add(left), Term: 720 * time.Hour,
			}, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inJetStream changes what was provisioned.
func inJetStream(change func(ctx context.Context, p *patient) error) spoiler {
	return func(t *testing.T, p *patient) {
		t.Helper()
		if err := change(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func dropConsumer(ctx context.Context, p *patient) error {
	return p.conn.JetStream().DeleteConsumer(ctx, stream.Stream, stream.LiveConsumer)
}

func allowDirect(ctx context.Context, p *patient) error {
	s, err := p.conn.JetStream().Stream(ctx, stream.Stream)
	if err != nil {
		return err
	}
	cfg := s.CachedInfo().Config
	cfg.AllowDirect = true
	_, err = p.conn.JetStream().UpdateStream(ctx, cfg)
	return err
}

func shortAckWait(ctx context.Context, p *patient) error {
	k, err := p.conn.JetStream().Consumer(ctx, stream.Stream, stream.LiveConsumer)
	if err != nil {
		return err
	}
	cfg := k.CachedInfo().Config
	cfg.AckWait = time.Second
	_, err = p.conn.JetStream().UpdateConsumer(ctx, stream.Stream, cfg)
	return err
}
