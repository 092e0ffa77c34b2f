package control

import (
	"errors"
	"io"
	"testing"

	"github.com/sirupsen/logrus"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

// TestAStandbyThatAdoptedInVainAsksAnew is about a standby whose first request was stored while its answer was lost: it found its record,
// but before it could renew it the record was gone.
func TestAStandbyThatAdoptedInVainAsksAnew(t *testing.T) {
	t.Parallel()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := embednats.Start(t.Context(), embednats.Options{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := stream.Connect(t.Context(), stream.Config{URL: server.URL(), Name: "test"}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if _, err := Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	leases, err := OpenLeases(t.Context(), conn, log)
	if err != nil {
		t.Fatal(err)
	}
	h := newHold(leases.bucket, "main", Holder{}, log)
	h.revision = 4711
	if err := h.beat(t.Context()); !errors.Is(err, errMismatch) {
		t.Fatal(err)
	}
	if err := h.beat(t.Context()); err != nil {
		t.Error(err)
	}
}
