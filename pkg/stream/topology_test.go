package stream_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

func TestProvisionCreatesOnceAndThenOnlyChanges(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	for _, step := range []struct {
		limits stream.Limits
		want   []string
	}{
		{stream.Limits{}, []string{
			"stream JUSHUITAN: created", "stream JUSHUITAN_DLQ: created", "stream JUSHUITAN_AUDIT: created",
			"object store juliu-payloads: created", "consumer loader: created",
		}},
		{stream.Limits{}, nil},
		{stream.Limits{Replicas: 1, MaxAge: 48 * time.Hour, MaxBytes: 1 << 30}, []string{
			"stream JUSHUITAN: max_age 0s -> 48h0m0s", "stream JUSHUITAN: max_bytes -1 -> 1073741824",
			"stream JUSHUITAN: the new limit may delete the oldest messages",
			"stream JUSHUITAN_DLQ: max_age 0s -> 48h0m0s", "stream JUSHUITAN_DLQ: the new limit may delete the oldest messages",
			"object store juliu-payloads: ttl 0s -> 72h0m0s",
		}},
		{stream.Limits{Replicas: 1, MaxAge: 48 * time.Hour, MaxBytes: 1 << 30}, nil},
		{stream.Limits{MaxAge: 12 * time.Hour, MaxBytes: 2 << 30}, []string{
			"stream JUSHUITAN: max_age 48h0m0s -> 12h0m0s", "stream JUSHUITAN: max_bytes 1073741824 -> 2147483648",
			"stream JUSHUITAN: the new limit may delete the oldest messages",
			"stream JUSHUITAN_DLQ: max_age 48h0m0s -> 12h0m0s", "stream JUSHUITAN_DLQ: duplicate_window 24h0m0s -> 12h0m0s",
			"stream JUSHUITAN_DLQ: the new limit may delete the oldest messages",
			"object store juliu-payloads: ttl 72h0m0s -> 36h0m0s",
		}},
		{stream.Limits{MaxAge: time.Minute}, []string{
			"stream JUSHUITAN: max_age 12h0m0s -> 1m0s", "stream JUSHUITAN: max_bytes 2147483648 -> -1", "stream JUSHUITAN: duplicate_window 2m0s -> 1m0s",
			"stream JUSHUITAN: the new limit may delete the oldest messages",
			"stream JUSHUITAN_DLQ: max_age 12h0m0s -> 1m0s", "stream JUSHUITAN_DLQ: duplicate_window 12h0m0s -> 1m0s",
			"stream JUSHUITAN_DLQ: the new limit may delete the oldest messages",
			"object store juliu-payloads: ttl 36h0m0s -> 24h1m0s",
		}},
		{stream.Limits{MaxAge: time.Minute}, nil},
	} {
		got, err := stream.Provision(t.Context(), conn, step.limits)
		if diff := cmp.Diff(step.want, got); err != nil || diff != "" {
			t.Fatalf("%+v: %v %s", step.limits, err, diff)
		}
		if err := stream.Check(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	conn := connect(t, serve(t, embednats.Options{}).URL())
	err := stream.Check(t.Context(), conn)
	want := "JetStream is not set up as juliu needs it: stream JUSHUITAN is missing; stream JUSHUITAN_DLQ is missing; " +
		"object store juliu-payloads is missing; consumer loader is missing; run juliu provision"
	topology, ok := errors.AsType[*stream.TopologyError](err)
	if !ok || topology.ExitCode() != 2 || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := stream.OpenJournal(t.Context(), conn, resource, source); !strings.Contains(err.Error(), "run juliu provision") {
		t.Errorf("open a journal: %v", err)
	}
}

func TestWhatAnOperatorChangedIsNamedAndRepaired(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	js := raw(t, server)
	change := func(edit func(*jetstream.StreamConfig)) {
		s, err := js.Stream(t.Context(), stream.Stream)
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		edit(&cfg)
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	change(func(cfg *jetstream.StreamConfig) {
		cfg.AllowDirect, cfg.Discard, cfg.AllowAtomicPublish = true, jetstream.DiscardOld, false
		cfg.MaxMsgs, cfg.MaxMsgsPerSubject, cfg.MaxMsgSize = 1000, 1, 1<<20
		cfg.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "jst.record.>", Destination: "jst.record.x.>"}
		cfg.Sources = []*jetstream.StreamSource{{Name: stream.DeadLetterStream}}
		cfg.Metadata["owner"] = "operator"
	})
	k, err := js.Consumer(t.Context(), stream.Stream, stream.LiveConsumer)
	if err != nil {
		t.Fatal(err)
	}
	cfg := k.CachedInfo().Config
	cfg.MaxDeliver, cfg.AckWait, cfg.BackOff = 5, time.Minute, []time.Duration{time.Minute}
	cfg.HeadersOnly, cfg.FilterSubject = true, "jst.record.sales-out.>"
	cfg.MaxRequestExpires = time.Second
	if _, err := js.UpdateConsumer(t.Context(), stream.Stream, cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PauseConsumer(t.Context(), stream.Stream, stream.LiveConsumer, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	found := stream.Check(t.Context(), conn)
	for _, want := range []string{
		"discard is DiscardOld, not DiscardNew", "allow_atomic is false, not true", "allow_direct is true, not false",
		"max_deliver is 5, not -1",
		"max_msgs is 1000, not -1", "max_msgs_per_subject is 1, not -1", "max_msg_size is 1048576, not -1",
		"subject_transform is true, not false", "number of sources is 1, not 0", "headers_only is true, not false", "max_expires is 1s, not 0s",
		"backoff is [1m0s], not []", "filter_subject is jst.record.sales-out.>, not jst.record.>", "paused is true, not false",
	} {
		if found == nil || !strings.Contains(found.Error(), want) {
			t.Errorf("%v does not say %q", found, want)
		}
	}
	if _, err := stream.OpenJournal(t.Context(), conn, resource, source); err == nil {
		t.Error("a journal opens on a stream that breaks its promises")
	}
	changes, err := stream.Provision(t.Context(), conn, stream.Limits{})
	if err != nil || !slices.Contains(changes, "consumer loader: ack_wait 1m0s -> 30s") {
		t.Fatal(changes, err)
	}
	if err := stream.Check(t.Context(), conn); err != nil {
		t.Error(err)
	}
	s, err := js.Stream(t.Context(), stream.Stream)
	if err != nil || s.CachedInfo().Config.Metadata["owner"] != "operator" {
		t.Errorf("the operator's metadata is gone: %v", err)
	}
}

func TestProvisionStopsWaitingWithItsContext(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	server.Close()
	eventually(t, "the connection is lost", func() bool { return !conn.Connected() })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := stream.Provision(ctx, conn, stream.Limits{}); err == nil {
		t.Error("provisioned without a server")
	}
}
