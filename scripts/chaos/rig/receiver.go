package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"juliu/pkg/chaos"
)

// poisonShare is one order in so many, by its number, that a poisoned sink refuses.
const poisonShare = 50

// receiver takes events and notes each before it answers.
type receiver struct {
	now func() time.Time

	mu       sync.Mutex
	log      io.Writer
	poisoned bool
}

// event is what the receiver reads of one; the version is the header's as well.
type event struct {
	Data struct {
		Key      string `json:"key"`
		Version  string `json:"version"`
		Sequence uint64 `json:"sequence"`
	} `json:"data"`
}

// serveReceiver runs a webhook receiver until ctx ends. It forgets nothing when it is killed: the log is a file.
func serveReceiver(ctx context.Context, listen, log string, now func() time.Time) error {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // The rig's own folder.
	if err != nil {
		return fmt.Errorf("open the log of requests: %w", err)
	}
	defer func() { _ = file.Close() }()
	r := &receiver{now: now, log: file}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hook", r.take)
	mux.HandleFunc("POST /rig/poison/{on}", func(_ http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.poisoned = request.PathValue("on") == "on"
	})
	return serve(ctx, listen, mux)
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 64<<20))
	var e event
	if err != nil || json.Unmarshal(body, &e) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	ts, _ := strconv.ParseInt(e.Data.Version, 10, 64)
	number, _ := strconv.Atoi(e.Data.Key)
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusNoContent
	if r.poisoned && number%poisonShare == 0 {
		status = http.StatusUnprocessableEntity
	}
	line, err := json.Marshal(chaos.Request{At: r.now().UTC(), Status: status, Key: e.Data.Key, TS: ts, Sequence: e.Data.Sequence})
	if err == nil {
		_, err = r.log.Write(append(line, '\n')) // one write, so that a kill leaves no half of a line
	}
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
}
