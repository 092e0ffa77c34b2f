package extractor_test

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/stream"
)

// Two merchants on one stream: the outage of one ERP does not touch the other's orders, and when it is over nothing is missing of either.
func TestAnOutageOfOneSourceDoesNotTouchAnother(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.Config{Orders: 200})
	other, err := sandbox.New(sandbox.Config{Orders: 150, Seed: 2, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	erp := httptest.NewServer(other)
	t.Cleanup(erp.Close)
	second := *b
	second.config.Source, second.config.ERP.BaseURL = "second", erp.URL

	first, down := b.extractor(t, b.conn), second.extractor(t, b.connect(t))
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := down.Run(ctx, t.Context()); err != nil {
			t.Errorf("the source whose ERP is down ended: %v", err)
		}
	})
	waitFor(t, func() bool { return down.Stats().Stored == 150 })
	erp.CloseClientConnections()
	erp.Config.SetKeepAlivesEnabled(false)
	other.SetFaults(sandbox.Faults{HTTP502: sandbox.Odds{Rate: 1}})
	if err := runUntil(t, first, caughtUp(first)); err != nil {
		t.Fatalf("the other source: %v", err)
	}
	b.compare(t)
	stop()
	group.Wait()
	perSource := map[string]int{}
	if err := stream.Read(t.Context(), b.conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		perSource[d.Record.Source]++
		return d.Err
	}); err != nil {
		t.Fatal(err)
	}
	if perSource["main"] != 200 || perSource["second"] != 150 {
		t.Errorf("records of each source: %v", perSource)
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatal("waited a minute in vain")
		}
	}
}
