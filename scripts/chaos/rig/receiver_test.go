package rig_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/chaos"
	"juliu/scripts/chaos/rig"
)

func TestTheReceiverNotesWhatItAnswers(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		poisoned bool
		key      string
		status   int
	}{
		"well":                                 {false, "100050", http.StatusNoContent},
		"poisoned, an order that it refuses":   {true, "100050", http.StatusUnprocessableEntity},
		"poisoned, an order that it lets pass": {true, "100051", http.StatusNoContent},
	} {
		var log bytes.Buffer
		take := rig.NewReceiver(&log, func() time.Time { return at }, test.poisoned)
		answer := httptest.NewRecorder()
		body := `{"id":"evt_1","data":{"key":"` + test.key + `","version":"11","sequence":5}}`
		take(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", strings.NewReader(body)))
		var noted chaos.Request
		if err := json.Unmarshal(log.Bytes(), &noted); err != nil {
			t.Fatal(err)
		}
		want := chaos.Request{At: at, Status: test.status, Key: test.key, TS: 11, Sequence: 5}
		if diff := cmp.Diff(want, noted); diff != "" || answer.Code != test.status {
			t.Errorf("%s: answered %d, noted (-want +got):\n%s", name, answer.Code, diff)
		}
	}
}
