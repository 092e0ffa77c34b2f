package juliu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/stream"
	"juliu/services/extractor"
	"juliu/services/juliu"
)

// ground is a NATS server that is set up, and a sandbox: all that jobs need but the extractor.
type ground struct {
	data string
	box  *sandbox.Sandbox
	erp  string
	nats string
	conn *stream.Conn
	jobs *control.Jobs
}

func newGround(t *testing.T, cfg sandbox.Config) *ground {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	g := &ground{data: t.TempDir(), box: newBox(t, cfg)}
	erp := httptest.NewServer(g.box)
	t.Cleanup(erp.Close)
	server, err := embednats.Start(t.Context(), embednats.Options{Dir: g.data, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	g.erp, g.nats = erp.URL, server.URL()
	if g.conn, err = stream.Connect(t.Context(), stream.Config{URL: g.nats, Name: "test"}, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.conn.Close)
	if _, err := stream.Provision(t.Context(), g.conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Provision(t.Context(), g.conn, 1); err != nil {
		t.Fatal(err)
	}
	if g.jobs, err = control.OpenJobs(t.Context(), g.conn, time.Now); err != nil {
		t.Fatal(err)
	}
	return g
}

// startExtractor runs the real program, whose live lane begins an hour ago, unless more variables say otherwise; the function returned kills
// it and returns its log.
func (g *ground) startExtractor(t *testing.T, callsPerSecond string, more ...string) func() string {
	t.Helper()
	env := map[string]string{
		"JST_BASE_URL": g.erp, "JST_APP_KEY": sandbox.DefaultAppKey, "JST_APP_SECRET": sandbox.DefaultAppSecret,
		"JST_ACCESS_TOKEN": sandbox.DefaultAccessToken, "JST_RATE_PER_SECOND": callsPerSecond, "JST_RATE_PER_MINUTE": "600000",
		"NATS_URL": g.nats, "HTTP_ADDR": "off", "EXTRACTOR_START": "1h", "EXTRACTOR_INTERVAL": "1s", "EXTRACTOR_SETTLE": "1s",
		"EXTRACTOR_OVERLAP": "5s", "EXTRACTOR_SWEEP_EVERY": "0s", "EXTRACTOR_AUDIT_EVERY": "0s",
	}
	for i := 0; i < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	return startProgram(t, env, "extractor")
}

// startProgram runs a program; the function returned kills it and returns its log.
func startProgram(t *testing.T, env map[string]string, name string) func() string {
	t.Helper()
	p := command(t.Context(), t, env, name)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.cmd.Wait()
	}()
	kill := func() string {
		_ = p.cmd.Process.Kill()
		<-ended
		return p.out.String()
	}
	t.Cleanup(func() {
		if log := kill(); t.Failed() {
			t.Logf("%s:\n%s", name, log)
		}
	})
	return kill
}

// juliu carries out one command line against the ground's server, and returns the exit code, the output and the errors.
func (g *ground) juliu(ctx context.Context, args ...string) (int, string, string) {
	var o, e bytes.Buffer
	code := juliu.App{Out: &o, Err: &e, Now: time.Now}.WithPatience(20*time.Second).Run(ctx, append(args, "--data", g.data))
	return code, o.String(), e.String()
}

// start backfills everything before the live lane's begin and leaves the job running; it returns the job's id.
func (g *ground) start(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := g.juliu(t.Context(), append([]string{"backfill", "--from", "80h", "--to", "1h", "--yes", "--detach", "--output", "json"}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var job struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &job); err != nil || job.State != "running" {
		t.Fatalf("the last line is not a running job (%v):\n%s", err, out)
	}
	return job.ID
}

// await waits until a job is as asked, and returns it.
func (g *ground) await(t *testing.T, id string, done func(control.Job) bool) control.Job {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var last control.Job
	if err := g.jobs.Watch(ctx, func(job control.Job) error {
		if job.ID == id {
			if last = job; done(job) {
				stop()
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !done(last) {
		t.Fatalf("the job stays %+v", last)
	}
	return last
}

// atRest ends the traffic, waits until the stream holds the newest version of every order, and compares.
func (g *ground) atRest(t *testing.T) {
	t.Helper()
	g.box.Settle()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		proof, err := juliu.Prove(t.Context(), g.conn, "main", g.box.Ledger())
		if err != nil {
			t.Fatal(err)
		}
		if proof.Missing == 0 {
			if !proof.OK() {
				t.Error(proof)
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(proof)
		case <-ticker.C:
		}
	}
}

// records is how many records the stream holds.
func (g *ground) records(t *testing.T) int64 {
	t.Helper()
	snap, err := stream.TakeSnapshot(t.Context(), g.conn)
	if err != nil {
		t.Fatal(err)
	}
	return int64(snap.Records)
}

// create makes a job as it stands after a plan and some progress.
func create(t *testing.T, jobs *control.Jobs, spec extractor.Backfill, edit func(*control.Job), states ...control.State) control.Job {
	t.Helper()
	job, err := jobs.Create(t.Context(), extractor.BackfillKind, "main", spec)
	for i, state := range states {
		if err == nil {
			job, err = jobs.Change(t.Context(), job.ID, func(j *control.Job) error {
				if i == len(states)-1 {
					edit(j)
				}
				return j.Move(state)
			})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return job
}
