package sink_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink"
)

// noon is what the clocks of these tests show.
var noon = time.Date(2026, time.November, 24, 19, 30, 0, 0, time.FixedZone("", 8*3600))

func openRotating(t *testing.T, path string, rotate int64, now func() time.Time) *sink.JSONL {
	t.Helper()
	s, err := sink.OpenJSONL(sink.JSONLConfig{Path: path, Rotate: rotate, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	return s
}

// fullFiles are the files that were put aside, in the order of their names.
func fullFiles(t *testing.T, path string) []string {
	t.Helper()
	ext := filepath.Ext(path)
	all, err := filepath.Glob(strings.TrimSuffix(path, ext) + "-*" + ext)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sequences are those of the lines of each file, the current one last.
func sequences(t *testing.T, path string) [][]uint64 {
	t.Helper()
	var all [][]uint64
	for _, file := range append(fullFiles(t, path), path) {
		var one []uint64
		for _, line := range readLines(t, file) {
			one = append(one, line.Sequence)
		}
		all = append(all, one)
	}
	return all
}

func TestJSONLBeginsANewFileBeforeOneGrowsPastTheLimit(t *testing.T) {
	t.Parallel()
	one := int64(len(`{"sequence":1,"published":"2026-01-31T16:00:00Z","source":"main","resource":"sales-out","shop":"0","key":"1",` +
		`"order":{"io_id":"1","modified":"2026-01-31T16:00:00Z","ts":"1"}}` + "\n"))
	for name, test := range map[string]struct {
		limit   int64
		batches []int
		want    string
	}{
		"a limit that is just reached":       {3 * one, []int{2, 1, 1}, "[[1 2 3] [4]]"},
		"a batch goes into one file":         {3 * one, []int{2, 2, 2}, "[[1 2] [3 4] [5 6]]"},
		"a batch beyond the limit is whole":  {3 * one, []int{1, 5, 1}, "[[1] [2 3 4 5 6] [7]]"},
		"a record beyond the limit is whole": {one - 1, []int{1, 1}, "[[1] [2]]"},
		"no limit":                           {0, []int{5, 4}, "[[1 2 3 4 5 6 7 8 9]]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "orders.jsonl")
			s := openRotating(t, path, test.limit, func() time.Time { return noon })
			next := 1
			for _, size := range test.batches {
				var batch []record.Record
				for range size {
					batch = append(batch, order(t, strconv.Itoa(next), uint64(next)))
					next++
				}
				if err := s.Write(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			if got := fmt.Sprint(sequences(t, path)); got != test.want {
				t.Errorf("files hold %s, want %s", got, test.want)
			}
		})
	}
}

func TestJSONLNamesFullFilesInTheOrderOfWriting(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file   string
		clock  []time.Duration // since noon, at each file that is full
		before string          // stands there already
		want   []string
	}{
		"a clock that goes on":   {"orders.jsonl", []time.Duration{0, time.Second, 90 * time.Minute}, "", []string{"orders-20261124T113000.000Z.jsonl", "orders-20261124T113001.000Z.jsonl", "orders-20261124T130000.000Z.jsonl"}},
		"a clock that stands":    {"orders.jsonl", []time.Duration{0, 0, 0}, "", []string{"orders-20261124T113000.000Z.jsonl", "orders-20261124T113000.001Z.jsonl", "orders-20261124T113000.002Z.jsonl"}},
		"a clock that goes back": {"orders.jsonl", []time.Duration{time.Hour, 0}, "", []string{"orders-20261124T123000.000Z.jsonl", "orders-20261124T123000.001Z.jsonl"}},
		"a name that is taken":   {"orders.jsonl", []time.Duration{0}, "orders-20261124T113000.000Z.jsonl", []string{"orders-20261124T113000.001Z.jsonl"}},
		"a name without an end":  {"orders", []time.Duration{0}, "orders-other", []string{"orders-20261124T113000.000Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.before != "" {
				if err := os.WriteFile(filepath.Join(dir, test.before), []byte("of the operator"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path, at := filepath.Join(dir, test.file), noon
			s := openRotating(t, path, 1, func() time.Time { return at })
			for i, since := range append([]time.Duration{0}, test.clock...) {
				at = noon.Add(since)
				if err := s.Write(t.Context(), []record.Record{order(t, "1", uint64(i+1))}); err != nil {
					t.Fatal(err)
				}
			}
			for i, want := range test.want {
				if got := readLines(t, filepath.Join(dir, want)); len(got) != 1 || got[0].Sequence != uint64(i+1) {
					t.Errorf("%s holds %d lines, want the one of record %d", want, len(got), i+1)
				}
			}
			if test.before == "" {
				return
			}
			if text, err := os.ReadFile(filepath.Join(dir, test.before)); err != nil || string(text) != "of the operator" {
				t.Errorf("%s is %q now; %v", test.before, text, err)
			}
		})
	}
}

func TestJSONLGoesOnAfterAnEndBetweenTwoFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	s := openRotating(t, path, 1, time.Now)
	write := func(s *sink.JSONL, sequence uint64) {
		t.Helper()
		if err := s.Write(t.Context(), []record.Record{order(t, "1", sequence)}); err != nil {
			t.Fatal(err)
		}
	}
	write(s, 1)
	if err := s.PutAside(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := openRotating(t, path, 1, time.Now)
	write(next, 2)
	if err := next.PutAside(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // somebody is faster
		t.Fatal(err)
	}
	err := next.Write(t.Context(), []record.Record{order(t, "1", 3)})
	if _, ok := errors.AsType[*sink.UnavailableError](err); !ok || !strings.Contains(err.Error(), "restart the loader") {
		t.Errorf("write: %v, want an UnavailableError that says what to do", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(next, 3)
	if got := fmt.Sprint(sequences(t, path)); got != "[[1] [2] [3]]" {
		t.Errorf("files hold %s", got)
	}
}

func TestJSONLPutsFullFilesBesideTheOneThatALinkNames(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	link, path := filepath.Join(dir, "orders.jsonl"), filepath.Join(elsewhere, "day.jsonl")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	s := openRotating(t, link, 1, time.Now)
	for i := range 3 {
		if err := s.Write(t.Context(), []record.Record{order(t, "1", uint64(i+1))}); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(sequences(t, path)); got != "[[1] [2] [3]]" {
		t.Errorf("files hold %s", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v; %v", info.Mode(), err)
	}
}

// A second writer that gets in between two files has the next one for itself; the first one says so and writes no more.
func TestJSONLTwoWritersNeverShareAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	first := openRotating(t, path, 1, time.Now)
	came := make(chan *sink.JSONL, 1)
	stop := make(chan struct{})
	go func() {
		defer close(came)
		for {
			select {
			case <-stop:
				return
			default:
			}
			s, err := sink.OpenJSONL(sink.JSONLConfig{Path: path, Rotate: 1})
			if err == nil {
				came <- s
				return
			}
			if !errors.Is(err, sink.ErrLocked) {
				t.Errorf("open: %v, want ErrLocked", err)
			}
		}
	}()
	var acked []uint64
	for n := range uint64(300) {
		if err := first.Write(t.Context(), []record.Record{order(t, "1", n+1)}); err != nil {
			break
		}
		acked = append(acked, n+1)
	}
	close(stop)
	if second := <-came; second != nil {
		defer func() { _ = second.Close(t.Context()) }()
		for n := range uint64(3) {
			if err := second.Write(t.Context(), []record.Record{order(t, "1", 1000+n)}); err != nil {
				t.Fatal(err)
			}
			acked = append(acked, 1000+n)
			err := first.Write(t.Context(), []record.Record{order(t, "1", 2000)})
			if _, ok := errors.AsType[*sink.UnavailableError](err); !ok {
				t.Errorf("the first: %v, want an UnavailableError", err)
			}
		}
	}
	if got := slices.Concat(sequences(t, path)...); !slices.Equal(got, acked) {
		t.Errorf("files hold %d, want %d", got, acked)
	}
}

func TestJSONLRefusesAWriterWhoseFileWasPutAsideWhileItStarted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	first := openRotating(t, path, 1, time.Now)
	if err := first.Write(t.Context(), []record.Record{order(t, "1", 1)}); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := first.Write(t.Context(), []record.Record{order(t, "1", 2)}); err != nil {
		t.Fatal(err)
	}
	if err := sink.Prepare(path, file); !errors.Is(err, sink.ErrLocked) { // nobody holds the lock of this one any more
		t.Errorf("start with the file that was put aside: %v, want ErrLocked", err)
	}
}

// TestJSONLThatIsKilledBetweenFilesLosesNothing kills writers that begin a new file with every other batch.
func TestJSONLThatIsKilledBetweenFilesLosesNothing(t *testing.T) { //nolint:paralleltest // a process being started shares the locks of its parent for a moment
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	acked := 0
	for range 30 {
		acked = max(acked, killWriter(t, path, acked+1))
	}
	seen := map[uint64]bool{}
	for _, file := range append(fullFiles(t, path), path) {
		for _, line := range readLines(t, file) { // each of them whole
			seen[line.Sequence] = true
		}
		if info, err := os.Stat(file); err != nil || info.Size() > killLimit {
			t.Errorf("%s has %d bytes, more than the limit; %v", file, info.Size(), err)
		}
	}
	for n := range acked {
		if !seen[uint64(n+1)] {
			t.Errorf("record %d was acknowledged and is gone", n+1)
		}
	}
	if len(fullFiles(t, path)) < 30 {
		t.Errorf("%d full files of %d records: nothing is proven", len(fullFiles(t, path)), acked)
	}
}

const killLimit = 500

// killWriter lets a process write from a number on, kills it, and returns the last number that it acknowledged.
func killWriter(t *testing.T, path string, from int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperKilledWriter$")
	cmd.Env = append(os.Environ(), "JULIU_TEST_KILLED="+path, "JULIU_TEST_FROM="+strconv.Itoa(from))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last, lives := 0, 5+rand.IntN(20)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Errorf("the writer says %s", lines.Text())
			continue
		}
		last = n
		if lives--; lives == 0 { // it goes on while the signal is on its way
			time.AfterFunc(rand.N(time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Wait()
	return last
}

// TestHelperKilledWriter does nothing unless the test above runs it.
func TestHelperKilledWriter(t *testing.T) { //nolint:paralleltest // it is a process of its own
	path := os.Getenv("JULIU_TEST_KILLED")
	if path == "" {
		return
	}
	from, err := strconv.Atoi(os.Getenv("JULIU_TEST_FROM"))
	if err != nil {
		t.Fatal(err)
	}
	s := openRotating(t, path, killLimit, time.Now)
	for n := from; ; n++ {
		if err := s.Write(t.Context(), []record.Record{order(t, "1", uint64(n))}); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintln(os.Stdout, n); err != nil {
			t.Fatal(err)
		}
	}
}
