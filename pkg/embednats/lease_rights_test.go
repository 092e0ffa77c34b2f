package embednats_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/stream"
)

func TestAUserWithoutTheRightToALeaseIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := serveDeployed(t)
	if _, err := control.Provision(t.Context(), connectProcess(t, s, "provision", "provision"), 1); err != nil {
		t.Fatal(err)
	}
	where := url.URL{Scheme: "nats", User: url.UserPassword("reader", "password"), Host: s.Addr().String()}
	conn, err := stream.Connect(t.Context(), stream.Config{URL: where.String(), Name: "juliu"}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	began := time.Now()
	for what, do := range map[string]func(context.Context, *stream.Conn) error{
		"$KV.juliu-leases.main": lease, "$KV.juliu-jobs.backfill.": plan, "$JS.API.STREAM.INFO.KV_juliu-tokens": renew,
	} {
		err := do(t.Context(), conn)
		denied, ok := errors.AsType[*stream.PermissionError](err)
		if !ok || !strings.HasPrefix(denied.Subject, what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}
