package webhook_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink"
	"juliu/pkg/sink/sinktest"
	"juliu/pkg/sink/webhook"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

func TestSinkKeepsTheContractIntoAReceiverThatGuards(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 20} {
		t.Run("batches of "+strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(t *testing.T) sinktest.Subject {
				t.Helper()
				return newReceiver(t).subject(t, size)
			})
		})
	}
}

func TestRequestIsWhatTheDocumentationShows(t *testing.T) {
	t.Parallel()
	const one = `{"id":"evt_0b082pifbijcbb42o5dgnbdpjh612br7","type":"jushuitan.sales-out.v1","timestamp":"2026-01-31T16:00:00Z","data":{` +
		`"source":"main","resource":"sales-out","shop":"1","key":"42","version":"7","modified":"2026-01-31T16:00:00Z","sequence":7,` +
		`"order":{"shop_id":"1","io_id":"42","modified":"2026-01-31T16:00:00Z","ts":"7"}}}`
	for name, test := range map[string]struct {
		batch       int
		body        string
		id, version string
	}{
		"one event":             {batch: 1, body: one, id: "evt_0b082pifbijcbb42o5dgnbdpjh612br7", version: "7"},
		"one event, in a batch": {batch: 2, body: `{"events":[` + one + `]}`, id: "bat_"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			server := httptest.NewServer(r)
			t.Cleanup(server.Close)
			s := open(t, config(server.URL, func(c *webhook.Config) { c.Batch = test.batch }))
			if err := s.Write(t.Context(), []record.Record{order(t, 42, 7)}); err != nil {
				t.Fatal(err)
			}
			requests, bodies := r.seen()
			if len(requests) != 1 || bodies[0] != test.body {
				t.Fatalf("%d requests, body\n%s\nwant\n%s", len(requests), bodies, test.body)
			}
			header := requests[0].Header
			id := header.Get("Webhook-Id")
			if !strings.HasPrefix(id, test.id) || strings.Contains(id, ".") || header.Get("Idempotency-Key") != id {
				t.Errorf("webhook-id %q, Idempotency-Key %q; want both %s", id, header.Get("Idempotency-Key"), test.id)
			}
			want := map[string]string{"Content-Type": "application/json", "User-Agent": "juliu", "X-Juliu-Version": test.version}
			got := map[string]string{}
			for name := range want {
				got[name] = header.Get(name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if at := requests[0].URL.String(); at != "/juliu/"+urlToken+"?key="+urlToken || requests[0].Method != http.MethodPost {
				t.Errorf("%s %s", requests[0].Method, at)
			}
		})
	}
}

func TestIDStaysWithTheEventAndTellsEventsApart(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	base := order(t, 1, 1)
	again, replayed := base, base
	replayed.Sequence, replayed.Published = 99, base.Published.Add(time.Hour)
	other := func(change func(*record.Record)) record.Record { o := base; change(&o); return o }
	events := []record.Record{
		base, again, replayed,
		other(func(o *record.Record) { o.Source = "second" }), other(func(o *record.Record) { o.Resource = "refund" }),
		other(func(o *record.Record) { o.Key = "2" }), other(func(o *record.Record) { o.Version.TS = 2 }),
		other(func(o *record.Record) { o.Hash[0]++ }),
		other(func(o *record.Record) { o.Source, o.Resource = "mainsales", "-out" }),
	}
	for _, first := range []*webhook.Sink{open(t, config(server.URL)), open(t, config(server.URL))} { // two loaders give the same ids
		for _, e := range events {
			if err := first.Write(t.Context(), []record.Record{e}); err != nil {
				t.Fatal(err)
			}
		}
	}
	requests, _ := r.seen()
	var ids []string
	for _, request := range requests {
		ids = append(ids, request.Header.Get("Webhook-Id"))
	}
	if !slices.Equal(ids[:len(events)], ids[len(events):]) {
		t.Errorf("ids of two sinks differ: %q", ids)
	}
	ids = ids[:len(events)]
	if ids[0] != ids[1] || ids[0] != ids[2] {
		t.Errorf("the same event has the ids %q", ids[:3])
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != len(events)-2 {
		t.Errorf("%d different ids, want %d", n, len(events)-2)
	}
}

func TestAnAnswerThatIsLostBringsTheSameEventAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	lost := false
	url := serve(t, func(w http.ResponseWriter, request *http.Request) {
		r.ServeHTTP(httptest.NewRecorder(), request)
		if !lost { // it has the event, and the connection ends before the answer
			lost = true
			cut(t, w)
		}
	})
	s := open(t, config(url))
	event := []record.Record{order(t, 1, 1)}
	err := s.Write(t.Context(), event)
	if down, ok := errors.AsType[*sink.UnavailableError](err); err == nil || ok || errors.Is(err, sink.ErrRejected) {
		t.Fatalf("write: %v (%v), want an error that counts an attempt", err, down)
	}
	if err := s.Write(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	requests, bodies := r.seen()
	if len(requests) != 2 || requests[0].Header.Get("Webhook-Id") != requests[1].Header.Get("Webhook-Id") || bodies[0] != bodies[1] {
		t.Errorf("%d requests, want two with the same id and body", len(requests))
	}
	if kept := r.read(t); len(kept) != 1 {
		t.Errorf("%d kept, want 1", len(kept))
	}
}

func TestARecordThatCannotBeEncodedFailsAlone(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	broken := "张三\xff"
	empty, bad := order(t, 2, 2), order(t, 3, 3)
	empty.Payload, bad.Payload = nil, &jushuitanv1.SalesOutOrder{Remark: &broken}
	s := open(t, config(server.URL, func(c *webhook.Config) { c.Batch = 10 }))
	err := s.Write(t.Context(), []record.Record{order(t, 1, 1), empty, bad, order(t, 4, 4)})
	partly, ok := errors.AsType[*sink.BatchError](err)
	if !ok || len(partly.Failed) != 2 || !errors.Is(partly.Failed[1], sink.ErrRejected) || !errors.Is(partly.Failed[2], sink.ErrRejected) {
		t.Fatalf("write: %v, want a BatchError with 1 and 2 rejected", err)
	}
	if kept := r.read(t); len(kept) != 2 {
		t.Errorf("%d kept, want 2", len(kept))
	}
	err = s.Write(t.Context(), []record.Record{empty})
	if partly, ok := errors.AsType[*sink.BatchError](err); !ok || !errors.Is(partly.Failed[0], sink.ErrRejected) {
		t.Errorf("write: %v, want it rejected", err)
	}
	if requests, _ := r.seen(); len(requests) != 1 {
		t.Errorf("%d requests, want 1: nothing is sent for a batch without events", len(requests))
	}
}

func TestConfigThatCannotBeUsedIsToldWhole(t *testing.T) {
	t.Parallel()
	var parts []webhook.Part
	for _, wrong := range (webhook.Config{URL: secret.New("ftp://" + urlToken)}).Check() {
		parts = append(parts, wrong.Part)
	}
	if want := []webhook.Part{webhook.PartURL, webhook.PartSecret, webhook.PartBatch}; !slices.Equal(parts, want) {
		t.Errorf("wrong are %q, want %q", parts, want)
	}
	if _, err := webhook.New(webhook.Config{Allow: "*"}); err == nil || !strings.Contains(err.Error(), "allow holds something") ||
		!strings.Contains(err.Error(), "secret is not set") {
		t.Errorf("new: %v, want all that is wrong", err)
	}
}
