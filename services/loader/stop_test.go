package loader_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	logrustest "github.com/sirupsen/logrus/hooks/test"

	"juliu/pkg/logging"
	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/stream"
	"juliu/services/loader"
)

// failing hands over deliveries and fails.
type failing struct {
	script

	err error
}

// Run hands over the deliveries.
func (f failing) Run(_, _ context.Context, _ func(context.Context) int, handle func(stream.Delivery)) error {
	for _, d := range f.script {
		handle(d)
	}
	return f.err
}

func TestALoaderThatFailsDoesNotWaitForASinkThatIsDown(t *testing.T) {
	t.Parallel()
	denied := &stream.PermissionError{Operation: "publish", Subject: "jst.dlq.>"}
	unread := stream.Delivery{Err: errors.New("cut"), Sequence: 1, Attempt: 1}
	for name, consumer := range map[string]loader.Consumer{
		"the consumer fails":                failing{script{delivery(t, 2, 1)}, denied},
		"dead letters may not be kept":      script{unread, delivery(t, 2, 1)},
		"both happen before it has stopped": failing{script{unread, delivery(t, 2, 1)}, denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &recorder{answer: func(context.Context, []record.Record) error {
					return &sink.UnavailableError{Cause: errors.New("connection refused"), RetryAfter: time.Hour}
				}}
				began := time.Now()
				r := run(t, loader.Deps{
					Consumer: consumer, DeadLetters: &letters{err: denied}, Sink: s, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
				})
				if err := r.wait(t); !errors.Is(err, denied) || time.Since(began) != loader.Grace || s.closed != 1 {
					t.Errorf("after %v: %v, the sink closed %d times; want the error after %v", time.Since(began), err, s.closed, loader.Grace)
				}
			})
		})
	}
}

func TestWhyItWasStoppedIsNoErrorOfTheLoader(t *testing.T) {
	t.Parallel()
	l, err := loader.New(loader.Deps{
		Consumer: script{}, DeadLetters: &letters{}, Sink: &recorder{}, Lag: noLag, Log: quiet(), Registerer: prometheus.NewRegistry(),
	}, loader.Config{Workers: 1, MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	intake, stop := context.WithCancelCause(t.Context())
	stop(errors.New("the extractor failed"))
	if err := l.Run(intake, t.Context()); err != nil {
		t.Errorf("run: %v, want nil", err)
	}
}

// hanging never keeps a dead letter.
type hanging struct{ begun chan struct{} }

// KeepDelivery waits for the end.
func (h hanging) KeepDelivery(ctx context.Context, _ stream.Delivery, _, _ string) error {
	close(h.begun)
	<-ctx.Done()
	return ctx.Err()
}

func TestADeadLetterThatIsCutOffIsNotToldAsAFailure(t *testing.T) {
	t.Parallel()
	log, told := logrustest.NewNullLogger()
	begun := make(chan struct{})
	r := run(t, loader.Deps{
		Consumer:    script{{Err: errors.New("cut"), Sequence: 1, Attempt: 1}},
		DeadLetters: hanging{begun}, Sink: &recorder{}, Lag: noLag, Log: log, Registerer: prometheus.NewRegistry(),
	})
	<-begun
	r.work()
	r.stop(t)
	for _, entry := range told.AllEntries() {
		if strings.Contains(entry.Message, "not kept") {
			t.Errorf("told %q", entry.Message)
		}
	}
}

func TestADeadLetterThatIsNotKeptIsTriedLessAndLessOften(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]string{1: "30s", 6: "32s", 9: "4m16s", 15: "5m0s"} {
		log, told := logrustest.NewNullLogger()
		r := run(t, loader.Deps{
			Consumer:    script{{Err: errors.New("cut"), Sequence: 1, Attempt: attempt}},
			DeadLetters: &letters{err: errors.New("stream full")}, Sink: &recorder{}, Lag: noLag, Log: log, Registerer: prometheus.NewRegistry(),
		})
		until(t, "it is told", func() bool { return told.LastEntry() != nil && told.LastEntry().Data[logging.Wait] != nil })
		if got := told.LastEntry().Data[logging.Wait]; got != want {
			t.Errorf("after attempt %d it comes again in %v, want %s", attempt, got, want)
		}
		r.stop(t)
	}
}
