package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink/webhook"
)

// A receiver verifies the signature, and drops what is older than what it has. It answers 2xx to that too.
func Example() {
	const shared = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	verifier, err := standardwebhooks.NewWebhook(shared)
	if err != nil {
		panic(err)
	}
	type order struct {
		Key      string      `json:"key"`
		Version  json.Number `json:"version"` // this merchant's rows all have a ts
		Sequence uint64      `json:"sequence"`
	}
	kept := map[string]order{} // a table, in life: compare and store in one transaction
	receiver := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		var event struct {
			Data order `json:"data"`
		}
		if verifier.Verify(body, r.Header) != nil || json.Unmarshal(body, &event) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		is, was := event.Data, kept[event.Data.Key]
		newer, _ := is.Version.Int64()
		older, _ := was.Version.Int64()
		if newer > older || newer == older && is.Sequence > was.Sequence {
			kept[is.Key] = is
		}
		fmt.Println("order", is.Key, "version", is.Version, "came, kept is", kept[is.Key].Version)
	}

	server := httptest.NewServer(http.HandlerFunc(receiver))
	defer server.Close()
	sink, err := webhook.New(webhook.Config{
		URL: secret.New(server.URL), Secret: secret.New(shared), Allow: "127.0.0.1", Batch: 1, Now: time.Now,
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for _, row := range []string{`{"io_id":42,"ts":1}`, `{"io_id":42,"ts":10}`, `{"io_id":42,"ts":9}`, `{"io_id":42,"ts":10}`} {
		r, err := record.SalesOut().Decode("main", []byte(row), time.Now())
		if err != nil {
			panic(err)
		}
		if err := sink.Write(ctx, []record.Record{r}); err != nil {
			panic(err)
		}
	}
	if err := sink.Close(ctx); err != nil {
		panic(err)
	}
	// Output:
	// order 42 version 1 came, kept is 1
	// order 42 version 10 came, kept is 10
	// order 42 version 9 came, kept is 10
	// order 42 version 10 came, kept is 10
}
