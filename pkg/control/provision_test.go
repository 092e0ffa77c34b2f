package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
)

// opens is how to open each part of the control plane.
func opens(conn *stream.Conn) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		control.LeaseBucket: func(ctx context.Context) error {
			_, err := control.OpenLeases(ctx, conn, quiet())
			return err
		},
		control.JobBucket: func(ctx context.Context) error {
			_, err := control.OpenJobs(ctx, conn, epoch)
			return err
		},
		control.TokenBucket: func(ctx context.Context) error {
			_, err := control.OpenTokens(ctx, conn, secret.New("secret"))
			return err
		},
	}
}

func TestProvisionCreatesOnceAndRepairs(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	js := rawJS(t, server.URL())
	for _, step := range []struct {
		edit func(*jetstream.StreamConfig)
		want []string
	}{
		{nil, []string{"stream KV_juliu-leases: created", "stream KV_juliu-jobs: created", "stream KV_juliu-tokens: created"}},
		{nil, nil},
		{
			func(cfg *jetstream.StreamConfig) { cfg.AllowDirect, cfg.MaxMsgsPerSubject, cfg.MaxAge = true, 5, 0 },
			[]string{
				"stream KV_juliu-leases: allow_direct true -> false", "stream KV_juliu-leases: max_msgs_per_subject 5 -> 1",
				"stream KV_juliu-leases: max_age 0s -> 6s", "stream KV_juliu-leases: the new limit may delete the oldest messages",
			},
		},
		{nil, nil},
	} {
		if step.edit != nil {
			editBucket(t, js, control.LeaseBucket, step.edit)
		}
		got, err := control.Provision(t.Context(), conn, 0)
		if diff := cmp.Diff(step.want, got); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
		for bucket, open := range opens(conn) {
			if err := open(t.Context()); err != nil {
				t.Errorf("open %s: %v", bucket, err)
			}
		}
	}
}

func TestABucketThatIsMissingOrBreaksAPromiseIsNamed(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	refused := func(why string) {
		t.Helper()
		for bucket, open := range opens(conn) {
			err := open(t.Context())
			topology, ok := errors.AsType[*stream.TopologyError](err)
			if !ok || topology.ExitCode() != 2 || !strings.Contains(err.Error(), bucket) || !strings.HasSuffix(err.Error(), "; run juliu provision") {
				t.Errorf("%s: open %s: %v", why, bucket, err)
			}
		}
	}
	refused("missing")
	if _, err := control.Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	js := rawJS(t, server.URL())
	for bucket := range opens(conn) {
		editBucket(t, js, bucket, func(cfg *jetstream.StreamConfig) { cfg.AllowDirect = true })
	}
	refused("direct gets")
	if _, err := control.Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	editBucket(t, js, control.LeaseBucket, func(cfg *jetstream.StreamConfig) { cfg.MaxAge = 0 })
	if _, err := control.OpenLeases(t.Context(), conn, quiet()); err == nil || !strings.Contains(err.Error(), "max_age is 0s") {
		t.Errorf("leases without an end: %v", err)
	}
}
