package webhook_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink/webhook"
)

// write posts one event and returns what the answer means.
func write(t *testing.T, s *webhook.Sink, key, ts int) (string, error) {
	t.Helper()
	err := s.Write(t.Context(), []record.Record{order(t, key, ts)})
	means, _ := meaning(err)
	return means, err
}

// A receiver that cannot verify the signature often answers 400. Its orders must not all become dead letters.
func TestAReceiverThatRefusesEverythingPausesTheLoading(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 20} {
		t.Run("batches of "+strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			healthy := false
			s := open(t, config(serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if !healthy || strings.Count(string(body), "evt_") > 1 || strings.Contains(string(body), `"version":"666"`) {
					w.WriteHeader(http.StatusBadRequest)
				}
			}), func(c *webhook.Config) { c.Batch = size }))
			if size > 1 { // which says nothing about the events in it
				for i := range 20 {
					if means, _ := meaning(s.Write(t.Context(), []record.Record{order(t, 2*i+1, 1), order(t, 2*i+2, 1)})); means != "rejected" {
						t.Errorf("a batch: %s, want it rejected, so that each is sent alone", means)
					}
				}
			}
			for key := range 50 {
				want := "rejected"
				if key >= 9 {
					want = "pause"
				}
				if means, err := write(t, s, key+1, 1); means != want || want == "pause" && !strings.Contains(err.Error(), "LOADER_WEBHOOK_SECRET") {
					t.Errorf("event %d: %s, %v; want %s", key+1, means, err, want)
				}
			}
			healthy = true
			if means, err := write(t, s, 50, 1); means != "stored" {
				t.Errorf("it takes events again: %s, %v", means, err)
			}
			if means, _ := write(t, s, 1, 666); means != "rejected" {
				t.Errorf("one that it refuses: %s, want it rejected", means)
			}
		})
	}
}

func TestEventsThatAreRefusedDoNotHoldAWorkerForEver(t *testing.T) {
	t.Parallel()
	s := open(t, config(serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) })))
	for key := range 12 {
		tries := 1
		for means, _ := write(t, s, key+1, 1); means != "rejected"; means, _ = write(t, s, key+1, 1) {
			if tries++; tries > 20 {
				t.Fatalf("event %d is tried without end", key+1)
			}
		}
		if want := map[bool]int{true: 1, false: 10}[key < 9]; tries != want {
			t.Errorf("event %d is rejected at try %d, want %d", key+1, tries, want)
		}
	}
}

// With several workers the failures of one event are told from an outage by the successes of the others, and by nothing else.
func TestSeveralWorkersFindTheOneEventThatTheReceiverChokesOn(t *testing.T) {
	t.Parallel()
	s := open(t, config(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Juliu-Version") == "666" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})))
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 40 {
				ts, want := i+1, "stored"
				if worker == 0 {
					ts, want = 666, "again"
				}
				if means, err := write(t, s, worker+1, ts); means != want {
					t.Errorf("worker %d: %s, %v; want %s", worker, means, err, want)
				}
			}
		})
	}
	workers.Wait()
}

// After 101 the connection is the caller's: neither the timeout nor a context ends reading from it.
func TestAnAnswerThatSwitchesProtocolsHoldsNobody(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Connection: Upgrade\r\nUpgrade: x\r\n", ""} {
		s := open(t, config(serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n"+header+"\r\n")
		}), func(c *webhook.Config) { c.Timeout = 200 * time.Millisecond }))
		done := make(chan string, 1)
		go func() { means, _ := write(t, s, 1, 1); done <- means }()
		select {
		case means := <-done:
			if means != "again" {
				t.Errorf("%q: %s, want it again", header, means)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q: the write does not end", header)
		}
	}
}

func TestARedirectThatCannotBeReadIsStillARedirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := open(t, config(serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[::1/%zz")
			w.WriteHeader(status)
		})))
		if means, err := write(t, s, 1, 1); means != "pause" || !strings.Contains(err.Error(), "a redirect") {
			t.Errorf("%d: %s, %v; want a pause", status, means, err)
		}
	}
}

// Where no request was sent, no event can be the cause.
func TestAConnectionThatEndsBeforeTLSIsOpenPausesTheLoading(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meet func(net.Conn)
		says string
	}{
		"closed": {func(c net.Conn) { _ = c.Close() }, "breaks every connection before TLS is open"},
		"reset": {func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1)) // it has begun
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = c.Close()
		}, "breaks every connection before TLS is open"},
		"silent": {func(net.Conn) {}, "does not open a TLS connection in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
			go func() {
				for {
					c, err := listener.Accept()
					if err != nil {
						return
					}
					t.Cleanup(func() { _ = c.Close() })
					test.meet(c)
				}
			}()
			s := open(t, config(fmt.Sprintf("https://%s", listener.Addr()), func(c *webhook.Config) { c.Timeout = 200 * time.Millisecond }))
			for range 2 {
				if means, err := write(t, s, 1, 1); means != "pause" || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s, %v; want a pause, with %q", means, err, test.says)
				}
			}
		})
	}
}

func TestMoreRecordsThanTheReceiverExpectsAreNotTakenForStored(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	err := open(t, config(server.URL)).Write(t.Context(), []record.Record{order(t, 1, 1), order(t, 2, 1)})
	if means, _ := meaning(err); means != "again" {
		t.Errorf("%s, %v; want an error", means, err)
	}
	if requests, _ := r.seen(); len(requests) != 0 {
		t.Errorf("%d requests, want none", len(requests))
	}
}
