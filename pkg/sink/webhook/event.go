package webhook

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// message is one request.
type message struct {
	id string
	// version is that of the only record; "" in batches.
	version string
	// records is how many are in it.
	records int
	body    []byte
}

// event is one record in the body. Its bytes are the same in every attempt.
type event struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	Source   string          `json:"source"`
	Resource string          `json:"resource"`
	Shop     string          `json:"shop"`
	Key      string          `json:"key"`
	Version  string          `json:"version"`
	Modified time.Time       `json:"modified,omitzero"`
	Sequence uint64          `json:"sequence"`
	Order    json.RawMessage `json:"order"`
}

// compose puts the records into a message, but those that cannot be put into JSON, whose errors it returns by their index.
func compose(batch []record.Record, asBatch bool) (message, map[int]error) {
	failed := map[int]error{}
	ids, events := make([]string, 0, len(batch)), make([]string, 0, len(batch))
	for i, r := range batch {
		id := hashed("evt_", r.Source, r.Resource, r.Key, r.VersionText(), r.Hash.String())
		text, err := encode(id, r)
		if err != nil {
			failed[i] = fmt.Errorf("%w: %w", sink.ErrRejected, err)
			continue
		}
		ids, events = append(ids, id), append(events, text)
	}
	if asBatch || len(events) == 0 {
		return message{id: hashed("bat_", ids...), records: len(events), body: []byte(`{"events":[` + strings.Join(events, ",") + `]}`)}, failed
	}
	return message{id: ids[0], version: batch[0].VersionText(), records: 1, body: []byte(events[0])}, failed
}

func encode(id string, r record.Record) (string, error) {
	order, err := r.PayloadJSON()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(event{
		ID: id, Type: "jushuitan." + r.Resource + ".v1", Timestamp: r.Published.UTC(),
		Data: data{
			Source: r.Source, Resource: r.Resource, Shop: r.Shop, Key: r.Key, Version: r.VersionText(), Modified: r.Version.Modified,
			Sequence: r.Sequence, Order: order,
		},
	})
	if err != nil {
		return "", fmt.Errorf("encode the event: %w", err)
	}
	return string(text), nil
}

// hashed is an id of the parts: prefix and 32 characters a-v and 0-9, no dot, as the signature's form asks.
func hashed(prefix string, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(part), part) // no two lists of parts share a form
	}
	const size = 20 // bytes of the hash
	return prefix + strings.ToLower(base32.HexEncoding.EncodeToString(h.Sum(nil)[:size]))
}
