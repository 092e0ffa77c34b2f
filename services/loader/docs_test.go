package loader_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// root is the repository, seen from this folder.
const root = "../.."

// documented are the files that docs/adding-a-sink.md writes and changes, by their path from the root.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/adding-a-sink.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)\n`([^`\n]+)`:\n\n```go\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		files[block[1]] = block[2]
	}
	for _, block := range regexp.MustCompile("(?s)```diff\n--- ([^\n]+)\n@@\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		before, err := os.ReadFile(filepath.Join(root, block[1]))
		if err != nil {
			t.Fatal(err)
		}
		files[block[1]] = string(before)
		for hunk := range strings.SplitSeq(block[2], "@@\n") {
			files[block[1]] = patch(t, files[block[1]], hunk)
		}
	}
	if len(files) != 4 {
		t.Fatalf("docs/adding-a-sink.md has %d files, want the sink, its test, and two changes", len(files))
	}
	return files
}

// patch carries out one hunk, whose lines begin with a blank, + or -.
func patch(t *testing.T, text, hunk string) string {
	t.Helper()
	var before, after strings.Builder
	for line := range strings.Lines(hunk) {
		switch line[0] {
		case '+':
			after.WriteString(line[1:])
		case '-':
			before.WriteString(line[1:])
		default:
			before.WriteString(line[1:])
			after.WriteString(line[1:])
		}
	}
	if strings.Count(text, before.String()) != 1 {
		t.Fatalf("docs/adding-a-sink.md changes lines that do not stand there once:\n%s", before.String())
	}
	return strings.Replace(text, before.String(), after.String(), 1)
}

// overlay lays the documented files over the repository, for the go command alone, and returns the flag for it.
func overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var laid struct {
		Replace map[string]string `json:"Replace"` //nolint:tagliatelle // the word of the go command
	}
	laid.Replace = map[string]string{}
	for path, text := range documented(t) {
		to, err := filepath.Abs(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		from := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		laid.Replace[to] = from
	}
	text, err := json.Marshal(laid)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "-overlay=" + list
}

// runIn runs a program to its end.
func runIn(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", filepath.Base(name), args, err, out)
	}
}

// TestTheSinkOfTheDocumentation builds what docs/adding-a-sink.md says, and loads orders with it.
func TestTheSinkOfTheDocumentation(t *testing.T) {
	t.Parallel()
	flag, dir := overlay(t), t.TempDir()
	suite, path := filepath.Join(dir, "folder.test"), filepath.Join(dir, "loader")
	runIn(t, root, "go", "test", "-c", "-vet=off", flag, "-o", suite, "./pkg/sink/folder")
	runIn(t, root, "go", "build", flag, "-o", path, "./services/loader/cmd/loader")
	runIn(t, dir, suite)

	b, folder := setup(t), filepath.Join(dir, "orders")
	env := []string{"NATS_URL=" + b.server.URL(), "LOADER_SINK=folder"}
	for says, more := range map[string]string{
		"LOADER_FOLDER_PATH is not set; set it to a folder":                     "LOADER_FOLDER_PATH=",
		"LOADER_FOLDER_PATH names a folder that does not exist; create it with": "LOADER_FOLDER_PATH=" + folder,
	} {
		cmd, out := command(t, path, append(env, more)...)
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 || !strings.Contains(out.String(), says) {
			t.Errorf("%s: %v, says %s; want exit code 2 and %q", more, err, out, says)
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	const n = 20
	b.store(t, orders(t, n)...)
	cmd, out := command(t, path, append(env, "LOADER_FOLDER_PATH="+folder)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.untilLoaded(t)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, out)
	}
	if files, err := filepath.Glob(filepath.Join(folder, "main,sales-out,*.json")); err != nil || len(files) != n {
		t.Errorf("%d files, want %d; %v", len(files), n, err)
	}
}
