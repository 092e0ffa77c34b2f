package chaos_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/chaos"
	juliuv1 "juliu/proto/juliu/v1"
)

const raw = `{"io_id":1}`

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func line(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// recordMessage is a record as the server holds it.
func recordMessage(t *testing.T) chaos.Message {
	t.Helper()
	return chaos.Message{
		Sequence: 1, Subject: "jst.record.sales-out.main.10394533.7", Stored: began,
		Header: map[string][]string{"Jst-Key": {"1"}, "Jst-Version": {"11"}},
		Body: marshal(t, &juliuv1.Envelope{
			Source: "main", Resource: "sales-out", Shop: "10394533", Key: "1", Version: 11, Raw: []byte(raw),
		}),
	}
}

// files are a history of one order.
func files(t *testing.T) map[string]string {
	t.Helper()
	checkpoint := chaos.Message{Sequence: 2, Subject: "jst.checkpoint.sales-out.main", Stored: began, Body: marshal(t, &juliuv1.Checkpoint{
		RunId: "run", Commit: 1, Records: 1, Total: 1, Cursor: timestamppb.New(began), Start: timestamppb.New(began),
	})}
	return map[string]string{
		chaos.RunFile:         line(t, chaos.Run{Seed: 7, Sink: chaos.Webhook}),
		chaos.LedgerFile:      line(t, chaos.Version{Key: "1", TS: 11}),
		chaos.StreamFile:      line(t, recordMessage(t)) + line(t, checkpoint),
		chaos.CheckpointsFile: line(t, checkpoint),
		chaos.LettersFile:     line(t, chaos.Message{Sequence: 4, Header: map[string][]string{"Jst-Origin-Sequence": {"1"}}, Stored: began}),
		chaos.FloorsFile:      line(t, chaos.Floor{Acked: 1}),
		chaos.RequestsFile:    line(t, chaos.Request{Key: "1", TS: 11, Sequence: 1, Status: 200}),
		chaos.CanariesFile:    `["secret-canary","name-canary"]`,
		"output/loader-1.log": "said nothing\n",
		"output/loader-2.log": "said name-canary\n",
	}
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadReadsWhatARunLeft(t *testing.T) {
	t.Parallel()
	h, err := chaos.Load(folder(t, files(t)))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(raw))
	want := chaos.History{
		Run:      chaos.Run{Seed: 7, Sink: chaos.Webhook},
		Versions: []chaos.Version{{Key: "1", TS: 11}},
		Records:  []chaos.Record{{Sequence: 1, Stored: began, Key: "1", TS: 11, SHA256: hex.EncodeToString(digest[:])}},
		Checkpoints: []chaos.Checkpoint{
			{Sequence: 2, Run: "run", Commit: 1, Records: 1, Total: 1, Cursor: began, Start: began},
		},
		Letters:  []chaos.Letter{{ID: 4, Sequence: 1, Stored: began}},
		Floors:   []chaos.Floor{{Acked: 1}},
		Requests: []chaos.Request{{Key: "1", TS: 11, Sequence: 1, Status: 200}},
		Output:   chaos.Output{Canaries: 2, Files: 2, Hits: []string{"loader-2.log: canary 1"}},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestAHistoryThatIsNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	whole := files(t)
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		if strings.HasPrefix(name, chaos.OutputFolder) || name == chaos.CanariesFile {
			continue
		}
		torn, missing := maps.Clone(whole), maps.Clone(whole)
		torn[name] = torn[name][:len(torn[name])/2]
		delete(missing, name)
		for what, files := range map[string]map[string]string{"torn": torn, "missing": missing} {
			if _, err := chaos.Load(folder(t, files)); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: %v, want an error that names it", what, name, err)
			}
		}
	}
}

func TestARecordThatIsNotWhatItSaysIsBroken(t *testing.T) {
	t.Parallel()
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		spoil func(*chaos.Message)
		ok    bool
	}{
		"as it should be": {func(*chaos.Message) {}, true},
		"put there again": {func(m *chaos.Message) { m.Subject += ".requeue" }, true},
		"compressed": {func(m *chaos.Message) {
			m.Body = pack.EncodeAll(m.Body, nil)
			m.Header["Jst-Encoding"] = []string{"zstd"}
		}, true},
		"of another order":      {func(m *chaos.Message) { m.Header["Jst-Key"] = []string{"2"} }, false},
		"of another version":    {func(m *chaos.Message) { m.Header["Jst-Version"] = []string{"12"} }, false},
		"without headers":       {func(m *chaos.Message) { m.Header = nil }, false},
		"of another shop":       {func(m *chaos.Message) { m.Subject = "jst.record.sales-out.main.1.7" }, false},
		"of another source":     {func(m *chaos.Message) { m.Subject = "jst.record.sales-out.other.10394533.7" }, false},
		"no envelope":           {func(m *chaos.Message) { m.Body = []byte("{}") }, false},
		"compressed, but not":   {func(m *chaos.Message) { m.Header["Jst-Encoding"] = []string{"zstd"} }, false},
		"a subject of no shape": {func(m *chaos.Message) { m.Subject = "jst.record.sales-out" }, false},
	} {
		message := recordMessage(t)
		test.spoil(&message)
		all := files(t)
		all[chaos.StreamFile] = line(t, message)
		h, err := chaos.Load(folder(t, all))
		if err != nil || len(h.Records) != 1 {
			t.Fatalf("%s: %v, %d records", name, err, len(h.Records))
		}
		if r := h.Records[0]; (r.Broken == "") != test.ok {
			t.Errorf("%s: broken: %q", name, r.Broken)
		}
	}
}

func TestTheReportSaysTheSameToPeopleAndPrograms(t *testing.T) {
	t.Parallel()
	h := small(chaos.Postgres)
	h.Rows = h.Rows[:1]
	h.Run.QuietAt = h.Run.HealedAt.Add(2 * time.Minute)
	r := chaos.Check(h)
	var text, program strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&program); err != nil {
		t.Fatal(err)
	}
	var back chaos.Report
	if err := json.Unmarshal([]byte(program.String()), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Errorf("the JSON loses something (-want +got):\n%s", diff)
	}
	for _, want := range []string{"NOT HELD", "2 orders, 3 versions, 3 records", "I9 stale: order 2", "I15 stuck: run", "I6    held"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
}
