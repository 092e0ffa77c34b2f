package loader_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary builds the loader as it ships.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "loader")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/loader").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// command is the loader with the environment given and nothing else.
func command(t *testing.T, path string, env ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = slices.Concat(env, []string{"HTTP_ADDR=off", "LOG_LEVEL=warn"})
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// lines counts the lines for each order in the file.
func lines(t *testing.T, path string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	keys := map[string]int{}
	for text := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		var line struct {
			Key string `json:"key"`
		}
		if text == "" || json.Unmarshal([]byte(text), &line) != nil {
			continue // the loader is writing it
		}
		keys[line.Key]++
	}
	return keys
}

// What the killed loaders held comes again after AckWait, 30 seconds.
func TestWhatAKilledLoaderHeldIsLoadedSoonAfterAckWait(t *testing.T) {
	t.Parallel()
	b, path := setup(t), binary(t)
	file := filepath.Join(t.TempDir(), "orders.jsonl")
	env := []string{"NATS_URL=" + b.server.URL(), "LOADER_SINK=jsonl", "LOADER_JSONL_PATH=" + file}
	const rounds, each, ackWait = 3, 5000, 30 * time.Second
	var killed time.Time
	all := orders(t, rounds*each)
	for round := range rounds {
		cmd, out := command(t, path, env...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := len(lines(t, file))
		b.store(t, all[round*each:(round+1)*each]...)
		until(t, "the loader has written some", func() bool { return len(lines(t, file)) > before })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		killed = time.Now()
		_ = cmd.Wait()
		if out.Len() > 0 {
			t.Errorf("the loader said: %s", out)
		}
	}
	cmd, out := command(t, path, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.untilLoaded(t)
	if late := time.Since(killed) - ackWait; late > 5*time.Second {
		t.Errorf("all was loaded %v after AckWait, want at most 5 s", late)
	}
	b.store(t, order(t, len(all)+1, 1)) // it is up when it has written this one
	until(t, "the loader has written one more", func() bool { return len(lines(t, file)) == len(all)+1 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0\n%s", err, out)
	}
	if got := len(lines(t, file)); got != len(all)+1 {
		t.Errorf("%d different orders in the file, want %d", got, len(all)+1)
	}
}

func TestALoaderThatIsStoppedWritesEachRecordOnce(t *testing.T) {
	t.Parallel()
	b, path := setup(t), binary(t)
	file := filepath.Join(t.TempDir(), "orders.jsonl")
	b.store(t, orders(t, 3000)...)
	stops := 0
	for b.snapshot(t).Lag() > 0 {
		cmd, out := command(t, path, "NATS_URL="+b.server.URL(), "LOADER_SINK=jsonl", "LOADER_JSONL_PATH="+file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := len(lines(t, file))
		until(t, "the loader has written some", func() bool { return len(lines(t, file)) > before || b.snapshot(t).Lag() == 0 })
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("after SIGTERM: %v, want exit code 0\n%s", err, out)
		}
		stops++
	}
	// An acknowledgement that was lost with its process would show as a second line.
	keys := lines(t, file)
	for key, n := range keys {
		if n != 1 {
			t.Errorf("order %s stands in the file %d times", key, n)
		}
	}
	if len(keys) != 3000 {
		t.Errorf("%d different orders in the file, want 3000, after %d stops", len(keys), stops)
	}
}

func TestWhatStopsALoaderIsToldInOneLineWithItsRemedy(t *testing.T) {
	t.Parallel()
	b, path := setup(t), binary(t)
	locked := filepath.Join(t.TempDir(), "orders.jsonl")
	other, _ := command(t, path, "NATS_URL="+b.server.URL(), "LOADER_SINK=jsonl", "LOADER_JSONL_PATH="+locked)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	until(t, "the other loader has its file", func() bool { _, err := os.Stat(locked); return err == nil })
	for name, test := range map[string]struct {
		env  []string
		args []string
		code int
		says string
	}{
		"a sink that does not exist": {[]string{"LOADER_SINK=kafka"}, nil, 2, "LOADER_SINK is not one of its values; choose jsonl, noop"},
		"a misspelt setting":         {[]string{"LOADER_SNIK=noop"}, nil, 2, "LOADER_SNIK is not a setting; did you mean LOADER_SINK?"},
		"no workers":                 {[]string{"LOADER_WORKERS=0"}, nil, 2, "LOADER_WORKERS is out of range; choose 1 to 64"},
		"a folder that is missing":   {[]string{"LOADER_SINK=jsonl", "LOADER_JSONL_PATH=/missing/o.jsonl"}, nil, 2, "LOADER_JSONL_PATH names a folder that does not exist; name a file"},
		"a file that is in use":      {[]string{"LOADER_SINK=jsonl", "LOADER_JSONL_PATH=" + locked}, nil, 2, "LOADER_JSONL_PATH names a file that another process writes to; give each loader a file of its own"},
		"a database without address": {[]string{"LOADER_SINK=postgres"}, nil, 2, "LOADER_POSTGRES_URL is not set; set it to postgres://user:password@host:5432/database, or LOADER_POSTGRES_URL_FILE"},
		"another kind of database":   {[]string{"LOADER_SINK=postgres", "LOADER_POSTGRES_URL=mysql://u:canary@host/db"}, nil, 2, "LOADER_POSTGRES_URL does not begin with postgres://; write postgres://user:password@host:5432/database?sslmode=verify-full"},
		"a password with a percent":  {[]string{"LOADER_SINK=postgres", "LOADER_POSTGRES_URL=postgres://u:canary%zz@host/db"}, nil, 2, "LOADER_POSTGRES_URL cannot be read; write postgres://user:password@host:5432/database?sslmode=verify-full, with %40 for an @ in the password"},
		"a database twice":           {[]string{"LOADER_SINK=postgres", "LOADER_POSTGRES_URL=postgres://u:canary@host/db", "LOADER_POSTGRES_URL_FILE=/run/x"}, nil, 2, "LOADER_POSTGRES_URL and LOADER_POSTGRES_URL_FILE are both set; unset one of them"},
		"a database that is down":    {[]string{"LOADER_SINK=postgres", "LOADER_POSTGRES_URL=postgres://u:canary@127.0.0.1:1/db"}, nil, 1, "open PostgreSQL: its URL names the server 127.0.0.1:1, which cannot be reached (dial tcp 127.0.0.1:1: connect: connection refused); start it, or correct host and port"},
		"a port that is in use":      {[]string{"HTTP_ADDR=" + strings.TrimPrefix(b.server.URL()[strings.LastIndex(b.server.URL(), "@")+1:], "nats://")}, nil, 2, "another process listens there; set HTTP_ADDR to a free address"},
		"an argument":                {nil, []string{"start"}, 2, "arguments not understood"},
		"no server":                  {[]string{"NATS_URL=nats://127.0.0.1:1"}, nil, 1, "nats://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, out := command(t, path, "NATS_URL="+b.server.URL())
			cmd.Env, cmd.Args = append(cmd.Env, test.env...), append(cmd.Args, test.args...)
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != test.code {
				t.Errorf("ended with %v, want exit code %d", err, test.code)
			}
			if text := strings.TrimSpace(out.String()); !strings.Contains(text, test.says) || strings.Count(text, "\n") > 0 {
				t.Errorf("said\n%s\nwant one line with %q", text, test.says)
			}
			if strings.Contains(out.String(), "canary") {
				t.Error("it shows the password")
			}
		})
	}
}
