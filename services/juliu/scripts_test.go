package juliu_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

// TestScripts types the commands as an operator does: a script for each, in testdata/script. They share a juliu up that has read 200 orders
// ($UP, and its address $UP_HTTP), servers that are provisioned and hold nothing ($EMPTY, and its URL $EMPTY_URL), jobs that no extractor
// takes up ($JOBS) or dead letters ($DEAD, and $LETTERS, where they stay), and one that was never provisioned ($BARE, a URL).
func TestScripts(t *testing.T) {
	t.Parallel()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	up, http := serveUp(t)
	empty, jobs := newGround(t, sandbox.Config{}), newGround(t, sandbox.Config{})
	letters, dead := newGround(t, sandbox.Config{}), newGround(t, sandbox.Config{})
	s := stage{programs: dir, jobs: map[string]*control.Jobs{jobs.data: jobs.jobs, letters.data: letters.jobs}}
	letters.keepLetters(t)
	dead.keepLetters(t)
	bare, err := embednats.Start(t.Context(), embednats.Options{Dir: t.TempDir(), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bare.Close)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"PATH": dir + ":" + env.Getenv("PATH"), "UP": up, "UP_HTTP": http, "EMPTY": empty.data, "EMPTY_URL": empty.nats,
				"JOBS": jobs.data, "LETTERS": letters.data, "DEAD": dead.data, "BARE": bare.URL(),
				"KEY": sandbox.DefaultAppKey, "SECRET": sandbox.DefaultAppSecret, "TOKEN": sandbox.DefaultAccessToken,
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"background": s.background, "refused": s.refused, "golden": golden, "capture": capture, "newjob": s.newJob,
		},
		RequireUniqueNames: true,
	})
}

// serveUp runs a juliu up until the test ends, waits until it has stored every order, and returns its data folder and its address.
func serveUp(t *testing.T) (string, string) {
	t.Helper()
	data := t.TempDir()
	p := command(t.Context(), t, map[string]string{
		"JST_RATE_PER_SECOND": "1000", "JST_RATE_PER_MINUTE": "100000", "EXTRACTOR_SOURCE": "main", "EXTRACTOR_SETTLE": "1s",
		"EXTRACTOR_OVERLAP": "5s", "EXTRACTOR_AUDIT_EVERY": "0s",
	}, "juliu", "up", "--data", data, "--orders", "200", "--history", "2h", "--traffic", "0", "--rate-per-second", "0", "--rate-per-minute", "0")
	p.cmd.Stdout = nil
	found, stop, err := until(p.cmd, regexp.MustCompile(`metrics +http://(\S+)/`))
	t.Cleanup(stop)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.out)
	}
	if code, out, _ := command(t.Context(), t, nil, "juliu", "read", "--data", data, "--follow", "--limit", "200").run(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	return data, found
}

// until starts a program and waits for a line that matches; it returns the first group. stop kills the program and waits for its end.
func until(cmd *exec.Cmd, want *regexp.Regexp) (string, func(), error) {
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", func() {}, err
	}
	ended := make(chan struct{})
	lines, found := bufio.NewScanner(out), ""
	for found == "" && lines.Scan() {
		if match := want.FindStringSubmatch(lines.Text()); match != nil {
			found = match[1]
		}
	}
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	stop := func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	if found == "" {
		stop()
		return "", func() {}, fmt.Errorf("%s ended without a line like %s", cmd, want)
	}
	return found, stop, nil
}

// stage is where scripts run: the folder of the programs, and the jobs of the servers by data folder.
type stage struct {
	programs string
	jobs     map[string]*control.Jobs
}

// juliu is a command line of juliu with the settings of a script.
func (s stage) juliu(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.programs, "juliu"), args...) // the script ends it
	cmd.Dir, cmd.Env = ts.MkAbs("."), []string{}
	for _, name := range []string{"PATH", "NATS_URL", "HTTP_ADDR"} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// background VARIABLE REGEXP ARGUMENT... leaves a juliu running until the script ends; the variable gets the first group of the line of its
// output that matches.
func (s stage) background(ts *testscript.TestScript, _ bool, args []string) {
	found, stop, err := until(s.juliu(ts, args[2:]), regexp.MustCompile(args[1]))
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv(args[0], found)
}

// refused CODE REGEXP LINE... runs command lines of juliu, all at once: each must end with the exit code and one line on standard error
// that matches, and print nothing else.
func (s stage) refused(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	want := regexp.MustCompile(`^juliu: .*` + args[1] + `.*\n$`)
	var group sync.WaitGroup
	wrong := make([]error, len(args))
	for i, line := range args[2:] {
		cmd := s.juliu(ts, strings.Fields(line))
		group.Go(func() {
			var errs strings.Builder
			cmd.Stderr = &errs
			out, _ := cmd.Output()
			if cmd.ProcessState.ExitCode() != code || !want.MatchString(errs.String()) || len(out) > 0 {
				wrong[i] = fmt.Errorf("juliu %s: exit code %d, want %d and one line like %s\n%s%s", line, cmd.ProcessState.ExitCode(), code, want, errs.String(), out)
			}
		})
	}
	group.Wait()
	ts.Check(errors.Join(wrong...))
}

// capture FILE VARIABLE REGEXP sets the variable to the first group of what matches in a file, which may be stdout or stderr.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	match := regexp.MustCompile(`(?m)` + args[2]).FindStringSubmatch(ts.ReadFile(args[0]))
	if match == nil {
		ts.Fatalf("nothing in %s matches %s", args[0], args[2])
	}
	ts.Setenv(args[1], match[1])
}

// golden FILE compares what was printed last with a file, in which every time, job and data folder stands as its kind.
func golden(ts *testscript.TestScript, _ bool, args []string) {
	got := ts.ReadFile("stdout")
	for _, kind := range []struct{ pattern, name string }{
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+08:00)`, "TIME"},
		{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`, "0000-00-00 00:00:00"},
		{`\d{8}-\d{6}-[0-9a-z]{3}`, "00000000-000000-job"},
		{`--data \S+`, "--data FOLDER"},
	} {
		got = regexp.MustCompile(kind.pattern).ReplaceAllString(got, kind.name)
	}
	if want := ts.ReadFile(args[0]); got != want {
		ts.Fatalf("printed:\n%s\nwant %s:\n%s", got, args[0], want)
	}
}

// keepLetters makes dead letters: two orders that were refused, and a row without identity.
func (g *ground) keepLetters(t *testing.T) {
	t.Helper()
	g.commitOrders(t, 2, 1, 1)
	if err := errors.Join(
		stream.Read(t.Context(), g.conn, stream.ReadOptions{}, func(d stream.Delivery) error {
			return g.conn.KeepDelivery(t.Context(), d, "write to the sink: the receiver answered 400", "rejected")
		}),
		g.conn.KeepRow(t.Context(), "main", "sales-out", []byte(`{"receiver_name":"nobody"}`), "decode sales-out row: no usable identity", "no-identity"),
	); err != nil {
		t.Fatal(err)
	}
}

// newJob STATE DATA makes a job that no extractor takes up; $JOB names it.
func (s stage) newJob(ts *testscript.TestScript, _ bool, args []string) {
	jobs := s.jobs[args[1]]
	job, err := jobs.Create(context.Background(), extractor.BackfillKind, "nobody", extractor.Backfill{SoIDs: []string{"1", "2"}})
	ts.Check(err)
	for _, next := range []control.State{control.Planned, control.Running} {
		if string(job.State) == args[0] {
			break
		}
		job, err = jobs.Change(context.Background(), job.ID, func(j *control.Job) error {
			j.Plan = &control.Plan{Calls: 2, Rows: 2}
			return j.Move(next)
		})
		ts.Check(err)
	}
	ts.Setenv("JOB", job.ID)
}
