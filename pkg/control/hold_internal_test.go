package control

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/sirupsen/logrus"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

func testLeases(tb testing.TB) *Leases {
	tb.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := embednats.Start(tb.Context(), embednats.Options{Dir: tb.TempDir(), Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	conn, err := stream.Connect(tb.Context(), stream.Config{URL: server.URL(), Name: "test"}, log)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	if _, err := Provision(tb.Context(), conn, 1); err != nil {
		tb.Fatal(err)
	}
	leases, err := OpenLeases(tb.Context(), conn, log)
	if err != nil {
		tb.Fatal(err)
	}
	return leases
}

// A standby whose first request was stored while its answer was lost finds its record, but before it can renew it the record is gone.
func TestAStandbyThatAdoptedInVainAsksAnew(t *testing.T) {
	t.Parallel()
	leases := testLeases(t)
	h := newHold(leases, "main", Holder{}, leases.log)
	h.revision = 4711
	if err := h.beat(t.Context()); !errors.Is(err, errMismatch) {
		t.Fatal(err)
	}
	if err := h.beat(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAMarkIsOneHold(t *testing.T) {
	t.Parallel()
	leases := testLeases(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	h := newHold(leases, "main", Holder{}, leases.log)
	if err := h.beat(ended); err == nil || !h.unclear {
		t.Fatal(err)
	}
	first := h.mark // may be stored, and may expire
	if err := h.beat(t.Context()); err != nil || h.mark == first {
		t.Errorf("%v, the mark %s again", err, h.mark)
	}
	// Then its answers are lost.
	second, revision := h.mark, h.revision
	h.unclear = true
	if err := h.beat(t.Context()); err != nil || h.mark != second || h.revision <= revision {
		t.Errorf("%v, mark %s for %s at revision %d", err, h.mark, second, h.revision)
	}
}
