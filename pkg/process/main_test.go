package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"juliu/pkg/process"
)

// coded is an error with an exit code.
type coded int

func (c coded) Error() string { return fmt.Sprintf("code %d", int(c)) }
func (c coded) ExitCode() int { return int(c) }

func TestTheExitCodeIsTheErrorsOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"no error":             {nil, process.ExitDone},
		"an error":             {errors.New("broken"), process.ExitFailed},
		"a cancellation":       {context.Canceled, process.ExitFailed},
		"an error with a code": {coded(3), process.ExitFenced},
		"one that is wrapped":  {fmt.Errorf("commit: %w", coded(2)), process.ExitUsage},
		"one beside another":   {errors.Join(errors.New("broken"), coded(2)), process.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := process.ExitCode(test.err); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestTheCommandLineOfAService(t *testing.T) {
	t.Parallel()
	addr := serve(t, &process.Health{})
	for name, test := range map[string]struct {
		args      []string
		run       error
		code      int
		out, errs string
	}{
		"without arguments it runs":    {nil, nil, 0, "", ""},
		"its error is told and coded":  {nil, coded(3), 3, "", "loader: code 3\n"},
		"an error without a code is 1": {nil, errors.New("broken"), 1, "", "loader: broken\n"},
		"it tells its version":         {[]string{"--version"}, nil, 0, "loader " + process.Version() + "\n", ""},
		"it helps":                     {[]string{"--help"}, nil, 0, "Usage: loader [healthcheck | --version | --help]\n\nIt loads.\n", ""},
		"it checks its health":         {[]string{"healthcheck"}, nil, 0, "", ""},
		"it knows no other argument":   {[]string{"run"}, nil, 2, "", "loader: arguments not understood; run loader without any (settings come from the environment), or see loader --help\n"},
		"nor more than one":            {[]string{"healthcheck", "now"}, nil, 2, "", "loader: arguments not understood; run loader without any (settings come from the environment), or see loader --help\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := process.Main(t.Context(), process.Service{
				Name: "loader", Help: "It loads.\n", Out: &out, Err: &errs, HTTPAddr: addr, Grace: time.Second,
				Run: func(_, _ context.Context) error { return test.run },
			}, test.args)
			if code != test.code || out.String() != test.out || errs.String() != test.errs {
				t.Errorf("code %d, out %q, err %q; want %d, %q, %q", code, out.String(), errs.String(), test.code, test.out, test.errs)
			}
		})
	}
}

func TestTheVersionNamesCommitDateAndGo(t *testing.T) {
	t.Parallel()
	b := process.ReadBuild()
	if b.Version == "" || b.Commit == "" || b.Date == "" || !strings.HasPrefix(b.Go, "go1.") {
		t.Errorf("build %+v, want no empty field", b)
	}
	if v := process.Version(); !strings.Contains(v, b.Commit) || !strings.Contains(v, b.Go) {
		t.Errorf("version %q without commit or Go", v)
	}
}
