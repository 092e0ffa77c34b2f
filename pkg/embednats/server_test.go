package embednats_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"juliu/pkg/embednats"
	"juliu/pkg/secret"
)

// childDir tells the test binary to be a server on this folder until it is killed.
const childDir = "EMBEDNATS_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(serveUntilKilled(dir))
	}
	os.Exit(m.Run())
}

func serveUntilKilled(dir string) int {
	url, err := serve(dir, os.Getenv(childSettings))
	if err != nil {
		_, _ = io.WriteString(os.Stdout, "error: "+err.Error()+"\n")
		return 1
	}
	_, _ = io.WriteString(os.Stdout, url+"\n")
	_, _ = io.ReadAll(os.Stdin)
	return 0
}

func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "juliu-embednats") //nolint:usetesting // removed after the server's shutdown
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func start(tb testing.TB, o embednats.Options) *embednats.Server {
	tb.Helper()
	o.Log = quiet()
	server, err := embednats.Start(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server
}

//nolint:ireturn // nats.go hands out interfaces
func connect(tb testing.TB, url string) jetstream.JetStream {
	tb.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

func TestTheURLIsNotedForOthersWhileTheServerRuns(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "new", "folder")
	server := start(t, embednats.Options{Dir: dir})
	url, err := embednats.FindURL(dir)
	if err != nil || url != server.URL() || !strings.HasPrefix(url, "nats://") || !strings.Contains(url, "@127.0.0.1:") {
		t.Fatalf("noted %q, %v; the server is at %q", url, err, server.URL())
	}
	info, err := os.Stat(filepath.Join(dir, "nats-url"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the note is open to others: %v, %v", info.Mode(), err)
	}
	js := connect(t, url)
	if got := js.Conn().MaxPayload(); got != embednats.DefaultMaxPayload {
		t.Errorf("max payload %d", got)
	}
	if _, err := nats.Connect("nats://" + js.Conn().ConnectedAddr()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a client without token: %v", err)
	}
	server.Close()
	server.Close()
	if _, err := embednats.FindURL(dir); !errors.Is(err, embednats.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAFolderServesOneProcess(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	start(t, embednats.Options{Dir: dir})
	_, err := embednats.Start(t.Context(), embednats.Options{Dir: dir, Log: quiet()})
	inUse, ok := errors.AsType[*embednats.InUseError](err)
	if !ok || !errors.Is(err, embednats.ErrInUse) || inUse.PID != os.Getpid() || inUse.ExitCode() != 2 || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	if _, err := embednats.FindURL(dir); err != nil {
		t.Errorf("the refused start took the note of the first away: %v", err)
	}
}

func TestAFolderThatCannotBeUsedIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(folder(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embednats.Start(t.Context(), embednats.Options{Dir: filepath.Join(file, "data"), Log: quiet()})
	refused, ok := errors.AsType[*embednats.FolderError](err)
	if !ok || refused.ExitCode() != 2 || !strings.Contains(err.Error(), "--data") {
		t.Errorf("got %v", err)
	}
}

func TestFindURLCreatesNothingAndTellsAFolderThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, missing := range map[string]string{"a folder that is missing": filepath.Join(dir, "missing"), "an empty folder": dir} {
		if _, err := embednats.FindURL(missing); !errors.Is(err, embednats.ErrNotRunning) {
			t.Errorf("%s: %v", name, err)
		}
	}
	note := filepath.Join(dir, "nats-url")
	if err := os.WriteFile(note, []byte("nats://127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embednats.FindURL(dir); !errors.Is(err, embednats.ErrNotRunning) {
		t.Errorf("a note without a lock: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("created %v, %v", entries, err)
	}
	if err := os.Remove(note); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(note, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := embednats.FindURL(dir)
	if _, ok := errors.AsType[*embednats.FolderError](err); !ok || errors.Is(err, embednats.ErrNotRunning) {
		t.Errorf("a note that cannot be read: %v", err)
	}
}

func TestAPortInUseEndsTheStartAtOnce(t *testing.T) {
	t.Parallel()
	listener := start(t, embednats.Options{Dir: folder(t)})
	js := connect(t, listener.URL())
	taken := js.Conn().ConnectedAddr()
	dir := folder(t)
	began := time.Now()
	_, err := embednats.Start(t.Context(), embednats.Options{Dir: dir, Port: portOf(t, taken), Token: secret.New("t"), Log: quiet()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") || time.Since(began) > 5*time.Second {
		t.Fatalf("after %s: %v", time.Since(began), err)
	}
	start(t, embednats.Options{Dir: dir})
}

func portOf(tb testing.TB, address string) int {
	tb.Helper()
	port := 0
	for _, digit := range address[strings.LastIndexByte(address, ':')+1:] {
		port = port*10 + int(digit-'0')
	}
	return port
}

func TestAKilledServerLeavesNothingInTheWay(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for round := range 3 {
		child, url := startChild(t, dir)
		js := connect(t, url)
		if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
			t.Fatal(err)
		}
		ack, err := js.Publish(t.Context(), "s", []byte("kept"))
		if err != nil || ack.Sequence != uint64(round+1) {
			t.Fatalf("round %d: %v, %v", round, ack, err)
		}
		if _, err := embednats.Start(t.Context(), embednats.Options{Dir: dir, Log: quiet()}); !errors.Is(err, embednats.ErrInUse) {
			t.Fatalf("round %d: a second server starts: %v", round, err)
		}
		if found, err := embednats.FindURL(dir); err != nil || found != url {
			t.Fatalf("round %d: found %v, not the child", round, err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		if _, err := embednats.FindURL(dir); !errors.Is(err, embednats.ErrNotRunning) {
			t.Fatalf("round %d: the killed server is still found: %v", round, err)
		}
	}
	js := connect(t, start(t, embednats.Options{Dir: dir}).URL())
	s, err := js.Stream(t.Context(), "S")
	if err != nil || s.CachedInfo().State.Msgs != 3 {
		t.Errorf("after three kills: %v", err)
	}
}

// startChild runs a server in a process of its own.
func startChild(tb testing.TB, dir string) (*exec.Cmd, string) {
	tb.Helper()
	child, url, err := spawn(tb.Context(), dir, embedded)
	if err != nil {
		tb.Fatal(err)
	}
	return child, url
}

func TestStartStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := folder(t)
	if server, err := embednats.Start(ctx, embednats.Options{Dir: dir, Log: quiet()}); err == nil {
		server.Close() // it was ready before it looked
	}
	start(t, embednats.Options{Dir: dir})
}
