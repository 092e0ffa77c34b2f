package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink"
	"juliu/pkg/sink/sinktest"
	"juliu/pkg/sink/webhook"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

const (
	// aSecret and newSecret are active secrets; the first is that of the specification's examples.
	aSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD0123456789ab"
	// urlToken stands in the URL and must never be shown.
	urlToken = "url-token-5d41402abc4b"
)

// config posts to an address on this machine.
func config(url string, change ...func(*webhook.Config)) webhook.Config {
	cfg := webhook.Config{
		URL: secret.New(url + "/juliu/" + urlToken + "?key=" + urlToken), Secret: secret.New(aSecret), Allow: "127.0.0.1", Batch: 1,
		Now: time.Now,
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func open(t *testing.T, cfg webhook.Config) *webhook.Sink {
	t.Helper()
	s, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	return s
}

// serve answers with handle at the URL returned.
func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// order is the ts-th version of a key.
func order(t *testing.T, key, ts int, more ...string) record.Record {
	t.Helper()
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	row := fmt.Sprintf(`{"io_id":%d,"shop_id":1,"ts":%d,"modified":"2026-02-01 00:00:00"%s}`, key, ts, strings.Join(more, ""))
	r, err := record.SalesOut().Decode("main", []byte(row), at)
	if err != nil {
		t.Fatal(err)
	}
	r.Sequence, r.Published = uint64(ts), at
	return r
}

// event is what a receiver reads of an event.
type event struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Source   string          `json:"source"`
		Resource string          `json:"resource"`
		Shop     string          `json:"shop"`
		Key      string          `json:"key"`
		Version  string          `json:"version"`
		Modified time.Time       `json:"modified"`
		Sequence uint64          `json:"sequence"`
		Order    json.RawMessage `json:"order"`
	} `json:"data"`
}

// newer compares as the package comment tells a receiver to.
func (e event) newer(than event) bool {
	mine, mineErr := strconv.ParseInt(e.Data.Version, 10, 64)
	its, itsErr := strconv.ParseInt(than.Data.Version, 10, 64)
	switch {
	case mineErr == nil && itsErr == nil && mine != its:
		return mine > its
	case (mineErr != nil || itsErr != nil) && !e.Data.Modified.Equal(than.Data.Modified):
		return e.Data.Modified.After(than.Data.Modified)
	}
	return e.Data.Sequence > than.Data.Sequence
}

// receiver verifies with the reference library, keeps the newest version of each key, and remembers what it was sent.
type receiver struct {
	t        *testing.T
	secret   string
	answer   func(n int) int // the status of the n-th request; nil answers 204
	down     bool
	lost     bool // the answer to the next request
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	kept     map[string]event
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	return &receiver{t: t, secret: aSecret, kept: map[string]event{}}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender went away
	}
	verifier, err := standardwebhooks.NewWebhook(r.secret)
	if err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests, r.bodies = append(r.requests, request), append(r.bodies, string(body))
	if err := verifier.Verify(body, request.Header); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var batch struct {
		Events []event `json:"events"`
	}
	var one event
	if err := json.Unmarshal(body, &batch); err != nil {
		r.t.Errorf("body: %v", err)
	}
	if batch.Events == nil {
		if err := json.Unmarshal(body, &one); err != nil {
			r.t.Errorf("body: %v", err)
		}
		batch.Events = []event{one}
	}
	switch {
	case r.down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case strings.Contains(string(body), refused):
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	for _, e := range batch.Events {
		key := e.Data.Source + "/" + e.Data.Resource + "/" + e.Data.Key
		if old, ok := r.kept[key]; !ok || e.newer(old) {
			r.kept[key] = e
		}
	}
	if r.lost {
		r.lost = false
		cut(r.t, w)
		return
	}
	status := http.StatusNoContent
	if r.answer != nil {
		status = r.answer(len(r.requests))
	}
	w.WriteHeader(status)
}

// refused stands in an event that the receiver never takes.
const refused = "refused-canary"

// cut ends the connection without an answer.
func cut(t *testing.T, w http.ResponseWriter) {
	t.Helper()
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_ = connection.Close()
}

// subject is the receiver with a sink that posts to it, for sinktest.
func (r *receiver) subject(t *testing.T, batch int) sinktest.Subject {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	set := func(what *bool, value bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		*what = value
	}
	post := func(t *testing.T) sink.Sink {
		t.Helper()
		return open(t, config(server.URL, func(c *webhook.Config) { c.Batch = batch }))
	}
	return sinktest.Subject{
		Sink: post(t), Keeps: sinktest.Newest, Read: r.read, Second: post,
		Reject: func(o record.Record) record.Record {
			changed := &jushuitanv1.SalesOutOrder{}
			proto.Merge(changed, o.Payload)
			remark := refused
			changed.Remark, o.Payload = &remark, changed
			return o
		},
		Down:       func(*testing.T) func() { set(&r.down, true); return func() { set(&r.down, false) } },
		LoseAnswer: func(*testing.T) { set(&r.lost, true) },
	}
}

// read is what it kept, for sinktest.
func (r *receiver) read(t *testing.T) []sinktest.Stored {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []sinktest.Stored
	for _, e := range r.kept {
		payload := &jushuitanv1.SalesOutOrder{}
		if err := protojson.Unmarshal(e.Data.Order, payload); err != nil {
			t.Fatalf("order: %v", err)
		}
		all = append(all, sinktest.Stored{
			Source: e.Data.Source, Resource: e.Data.Resource, Key: e.Data.Key, Sequence: e.Data.Sequence, Payload: payload,
		})
	}
	return all
}

// seen is what it was sent.
func (r *receiver) seen() ([]*http.Request, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests), slices.Clone(r.bodies)
}
