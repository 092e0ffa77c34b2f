package sink_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/sinktest"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

func TestJSONLKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, rotate := range map[string]int64{"one file": 0, "many files": 4096} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keepsTheContract(t, rotate)
		})
	}
}

func keepsTheContract(t *testing.T, rotate int64) {
	t.Helper()
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		t.Helper()
		path := filepath.Join(t.TempDir(), "orders.jsonl")
		return sinktest.Subject{
			Sink: openRotating(t, path, rotate, time.Now), Keeps: sinktest.All,
			Read: func(t *testing.T) []sinktest.Stored {
				t.Helper()
				var all []sinktest.Stored
				for _, file := range append(fullFiles(t, path), path) {
					all = append(all, readLines(t, file)...)
				}
				return all
			},
			Reject: func(r record.Record) record.Record { r.Payload = nil; return r },
			Down:   func(t *testing.T) func() { t.Helper(); return moveAway(t, path) },
		}
	})
}

// moveAway takes the file out of its place until it is called.
func moveAway(t *testing.T, path string) func() {
	t.Helper()
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(path, path+".away")
	return func() { move(path+".away", path) }
}

func open(t *testing.T, path string) *sink.JSONL {
	t.Helper()
	s, err := sink.OpenJSONL(sink.JSONLConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	return s
}

// readLines reads the file as a stranger would.
func readLines(t *testing.T, path string) []sinktest.Stored {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var all []sinktest.Stored
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			Sequence uint64          `json:"sequence"`
			Source   string          `json:"source"`
			Resource string          `json:"resource"`
			Key      string          `json:"key"`
			Order    json.RawMessage `json:"order"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("line %d: %v", len(all)+1, err)
		}
		order := &jushuitanv1.SalesOutOrder{}
		if err := protojson.Unmarshal(line.Order, order); err != nil {
			t.Fatalf("order of line %d: %v", len(all)+1, err)
		}
		all = append(all, sinktest.Stored{Source: line.Source, Resource: line.Resource, Key: line.Key, Sequence: line.Sequence, Payload: order})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// order is a record of the key.
func order(t *testing.T, key string, sequence uint64) record.Record {
	t.Helper()
	at := time.Date(2026, time.January, 31, 16, 0, 0, 0, time.UTC)
	r, err := record.SalesOut().Decode("main", []byte(`{"io_id":`+key+`,"ts":1,"modified":"2026-02-01 00:00:00"}`), at)
	if err != nil {
		t.Fatal(err)
	}
	r.Sequence, r.Published = sequence, at
	return r
}

func TestJSONLLineIsWhatTheDocumentationShows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	if err := open(t, path).Write(t.Context(), []record.Record{order(t, "42", 7)}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"sequence":7,"published":"2026-01-31T16:00:00Z","source":"main","resource":"sales-out","shop":"0","key":"42",` +
		`"order":{"io_id":"42","modified":"2026-01-31T16:00:00Z","ts":"1"}}` + "\n"
	if string(got) != want {
		t.Errorf("line\n%swant\n%s", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600: the file holds personal data", info.Mode())
	}
}

func TestJSONLCutsWhatACrashLeftOfALine(t *testing.T) {
	t.Parallel()
	const whole = `{"sequence":1,"order":{}}` + "\n"
	for name, test := range map[string]struct {
		before, after string
		err           error
	}{
		"a whole last line stays":                        {whole, whole, nil},
		"an empty file stays":                            {"", "", nil},
		"half a line goes":                               {whole + `{"sequence":2,"or`, whole, nil},
		"a line without its end goes":                    {whole + `{"sequence":2,"order":{}}`, whole, nil},
		"a few bytes of a line go":                       {whole + `{"s`, whole, nil},
		"half of the only line goes":                     {`{"sequence":2,"or`, "", nil},
		"half a line longer than a step of reading goes": {whole + `{"sequence":2,"order":"` + strings.Repeat("x", 200_000), whole, nil},
		"zeros after a power loss go":                    {whole + strings.Repeat("\x00", 100_000), whole, nil},
		"half a line and zeros go":                       {whole + `{"seq` + strings.Repeat("\x00", 100), whole, nil},
		"another file is refused and stays":              {"first line\nroot:x:0:0", "first line\nroot:x:0:0", sink.ErrNotOurs},
		"another kind of JSON is refused and stays":      {`{"name":"x"}`, `{"name":"x"}`, sink.ErrNotOurs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "orders.jsonl")
			if err := os.WriteFile(path, []byte(test.before), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := sink.OpenJSONL(sink.JSONLConfig{Path: path})
			if !errors.Is(err, test.err) {
				t.Fatalf("open: %v, want %v", err, test.err)
			}
			if err == nil {
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != test.after {
				t.Errorf("file is %.60q… (%d bytes), want %d bytes; %v", got, len(got), len(test.after), err)
			}
		})
	}
}

func TestJSONLRefusesASecondWriterUntilTheFirstEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	first := open(t, path)
	if _, err := sink.OpenJSONL(sink.JSONLConfig{Path: path}); !errors.Is(err, sink.ErrLocked) {
		t.Errorf("second writer: %v, want ErrLocked", err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestJSONLRefusesWhatIsNotAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := sink.OpenJSONL(sink.JSONLConfig{Path: dir}); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := sink.OpenJSONL(sink.JSONLConfig{Path: filepath.Join(dir, "missing", "orders.jsonl")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v, want os.ErrNotExist", err)
	}
	if _, err := sink.OpenJSONL(sink.JSONLConfig{Path: "/dev/null"}); err == nil {
		t.Error("a device was opened: nothing written there is stored")
	}
}

func TestJSONLStoresNothingInAFileThatOthersChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 0) },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o600))
		},
		"written": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("x", 10_000)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "orders.jsonl")
			s := open(t, path)
			if err := s.Write(t.Context(), []record.Record{order(t, "1", 1)}); err != nil {
				t.Fatal(err)
			}
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				err := s.Write(t.Context(), []record.Record{order(t, "2", 2)})
				if _, ok := errors.AsType[*sink.UnavailableError](err); !ok || !strings.Contains(err.Error(), "restart the loader") {
					t.Errorf("write: %v, want an UnavailableError that says what to do", err)
				}
			}
		})
	}
}

func TestJSONLAfterCloseWritesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "orders.jsonl"))
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []record.Record{order(t, "1", 1)}); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("write: %v, want ErrClosed", err)
	}
}

func TestJSONLRejectsARecordWithoutPayloadAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	empty := order(t, "2", 2)
	empty.Payload = nil
	err := open(t, path).Write(t.Context(), []record.Record{order(t, "1", 1), empty, order(t, "3", 3)})
	var partly *sink.BatchError
	if !errors.As(err, &partly) || len(partly.Failed) != 1 || !errors.Is(partly.Failed[1], sink.ErrRejected) {
		t.Fatalf("write: %v, want a BatchError with index 1 rejected", err)
	}
	if got := readLines(t, path); len(got) != 2 || got[0].Key != "1" || got[1].Key != "3" {
		t.Errorf("%d lines, want those of keys 1 and 3", len(got))
	}
}

// The limit of the file's size stands for a full disk. It holds for the whole process, so this test runs in one of its own.
func TestJSONLOnAFullDiskIsUnavailableAndKeepsOnlyWholeLines(t *testing.T) { //nolint:paralleltest // a process being started shares the locks of its parent for a moment
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	runAlone(t, "TestHelperFullDisk", "JULIU_TEST_FULL_DISK="+path)
	if got := readLines(t, path); len(got) != 3 || got[2].Key != "3" {
		t.Errorf("%d lines, want 3: the two before, and the one after the disk had room again", len(got))
	}
}

// TestHelperFullDisk does nothing unless the test above runs it.
func TestHelperFullDisk(t *testing.T) { //nolint:paralleltest // it limits the whole process
	path := os.Getenv("JULIU_TEST_FULL_DISK")
	if path == "" {
		return
	}
	s := open(t, path)
	if err := s.Write(t.Context(), []record.Record{order(t, "1", 1), order(t, "2", 2)}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = uint64(info.Size()) + 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	var down *sink.UnavailableError
	for range 2 {
		if err := s.Write(t.Context(), []record.Record{order(t, "3", 3)}); !errors.As(err, &down) {
			t.Fatalf("write to a full disk: %v, want UnavailableError", err)
		}
		if now, err := os.Stat(path); err != nil || now.Size() != info.Size() {
			t.Fatalf("file has %d bytes after a failed write, want %d; %v", now.Size(), info.Size(), err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []record.Record{order(t, "3", 3)}); err != nil {
		t.Fatalf("write after the disk has room again: %v", err)
	}
}
