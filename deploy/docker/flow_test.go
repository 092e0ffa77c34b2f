package docker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/sirupsen/logrus/hooks/test"

	"juliu/pkg/stream"
)

// snapshot is how the stream and the loader stand.
func (s stack) snapshot(t *testing.T) stream.Snapshot {
	t.Helper()
	var now stream.Snapshot
	await(t, "NATS answers", func() error {
		return s.onStream(t, func(ctx context.Context, conn *stream.Conn) error {
			var err error
			now, err = stream.TakeSnapshot(ctx, conn)
			return err
		})
	})
	return now
}

// loaded returns nil when at least that many records are stored and every stored one is loaded.
func (s stack) loaded(t *testing.T, records uint64) error {
	t.Helper()
	now := s.snapshot(t)
	if now.Records < records || now.Lag() > 0 {
		return fmt.Errorf("%d records stored, want %d; %d of them not loaded", now.Records, records, now.Lag())
	}
	return nil
}

// settle ends the sandbox's traffic and shows every late change.
func (s stack) settle(t *testing.T) {
	t.Helper()
	answer := s.askSandbox(t, http.MethodPost, "/__sandbox/settle")
	_ = answer.Body.Close()
}

// complete returns nil when the stream holds the newest version of every order that the sandbox showed, and no version twice.
func (s stack) complete(t *testing.T) error {
	t.Helper()
	answer := s.askSandbox(t, http.MethodGet, "/__sandbox/ledger")
	defer func() { _ = answer.Body.Close() }()
	var ledger []struct {
		ID string `json:"io_id"`
		TS int64  `json:"ts"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&ledger); err != nil {
		t.Fatalf("decode ledger: %v", err)
	}
	stored, err := s.versions(t)
	if err != nil {
		return err
	}
	missing := 0
	for _, order := range ledger {
		if stored[order.ID] != order.TS {
			missing++
		}
	}
	if missing > 0 || len(ledger) < history {
		return fmt.Errorf("the newest version of %d of %d orders is missing", missing, len(ledger))
	}
	return nil
}

// versions reads the whole stream: the newest version of each key.
func (s stack) versions(t *testing.T) (map[string]int64, error) {
	t.Helper()
	newest := map[string]int64{}
	err := s.onStream(t, func(ctx context.Context, conn *stream.Conn) error {
		return stream.Read(ctx, conn, stream.ReadOptions{}, func(d stream.Delivery) error {
			r := d.Record
			if d.Err != nil || r.Version.TS <= newest[r.Key] {
				t.Errorf("record %d: version %d of order %s after version %d (%v)", d.Sequence, r.Version.TS, r.Key, newest[r.Key], d.Err)
			}
			newest[r.Key] = r.Version.TS
			return nil
		})
	})
	return newest, err
}

// onStream connects anew each time, because a container that is started again has another port.
func (s stack) onStream(t *testing.T, use func(context.Context, *stream.Conn) error) error {
	t.Helper()
	url, err := s.nats.PortEndpoint(t.Context(), "4222/tcp", "nats")
	if err != nil {
		return fmt.Errorf("find the port of NATS: %w", err)
	}
	log, _ := test.NewNullLogger()
	conn, err := stream.Connect(t.Context(), stream.Config{URL: url, Name: "test"}, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	return use(t.Context(), conn)
}

func (s stack) askSandbox(t *testing.T, method, path string) *http.Response {
	t.Helper()
	url, err := s.sandbox.PortEndpoint(t.Context(), "8090/tcp", "http")
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("ask the sandbox: %v", err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		t.Fatalf("ask the sandbox: %s", answer.Status)
	}
	return answer
}
