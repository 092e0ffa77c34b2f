package juliu_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"juliu/pkg/sink/postgres/postgrestest"
)

// failing is the extractor, and failingDesk the operator's command, that can be ended at a named step.
const (
	failing     = "extractor-failing"
	failingDesk = "juliu-failing"
)

// binFolder is where build puts the programs; TestMain makes and removes it.
const binFolder = "JULIU_TEST_BIN"

// build compiles the programs once.
var build = sync.OnceValues(func() (string, error) {
	dir := os.Getenv(binFolder)
	for _, name := range []string{"extractor", "loader", "juliu", failing, failingDesk} {
		tags, service := "", name
		if plain, ok := strings.CutSuffix(name, "-failing"); ok {
			tags, service = "failpoint", plain
		}
		out, err := exec.Command("go", "build", "-tags", tags, "-o", filepath.Join(dir, name), "juliu/services/"+service+"/cmd/"+service).CombinedOutput()
		if err != nil {
			return "", errors.New(string(out))
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "juliu-bin")
	if err == nil {
		err = os.Setenv(binFolder, dir)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	postgrestest.Remove()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// program is a running binary.
type program struct {
	cmd *exec.Cmd
	out *bytes.Buffer
}

// command prepares a binary with an environment of its own: none of the variables of whoever runs the test reach it.
func command(ctx context.Context, t *testing.T, env map[string]string, name string, args ...string) program {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatalf("build the programs: %v", err)
	}
	p := program{cmd: exec.CommandContext(ctx, filepath.Join(dir, name), args...), out: &bytes.Buffer{}}
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + p.cmd.Dir}
	for name, value := range env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	return p
}

// run waits for the end and returns the exit code, the output and how long it took.
func (p program) run(t *testing.T) (int, string, time.Duration) {
	t.Helper()
	began := time.Now()
	err := p.cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode(), p.out.String(), time.Since(began)
}
