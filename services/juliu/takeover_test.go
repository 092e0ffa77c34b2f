package juliu_test

import (
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/stream"
	"juliu/services/juliu"
)

// pair is two extractors of one source, real processes, on a real server and a simulated ERP whose orders move all the time.
type pair struct {
	t      *testing.T
	box    *sandbox.Sandbox
	conn   *stream.Conn
	env    map[string]string
	leases *control.Leases

	running [2]*extracting
}

// extracting is one extractor process.
type extracting struct {
	program

	ended chan struct{}
}

func newPair(t *testing.T) *pair {
	t.Helper()
	faults := sandbox.AllFaults(0.01)
	faults.StallFor = 2 * time.Second // what is measured is the takeover, not an answer that takes the ERP half a minute
	box, err := sandbox.New(sandbox.Config{
		Orders: 3000, History: 24 * time.Hour, Now: time.Now, Faults: faults,
		Traffic: sandbox.Traffic{PerSecond: 40, NewShare: 0.4, EditShare: 0.2, LateShare: 0.1, LateMax: 4 * time.Second, DriftPerCall: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	erp := httptest.NewServer(box)
	t.Cleanup(erp.Close)
	ctx := t.Context()
	go func() { _ = box.Run(ctx) }()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := embednats.Start(ctx, embednats.Options{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	p := &pair{t: t, box: box, env: map[string]string{
		"NATS_URL": server.URL(), "HTTP_ADDR": "off", "LOG_LEVEL": "warn",
		"JST_BASE_URL": erp.URL, "JST_APP_KEY": sandbox.DefaultAppKey, "JST_APP_SECRET": sandbox.DefaultAppSecret,
		"JST_ACCESS_TOKEN": sandbox.DefaultAccessToken, "JST_RATE_PER_SECOND": "10000", "JST_RATE_PER_MINUTE": "600000",
		"EXTRACTOR_START": "25h", "EXTRACTOR_INTERVAL": "1s", "EXTRACTOR_SETTLE": "1s", "EXTRACTOR_OVERLAP": "5s", "EXTRACTOR_WINDOW": "1h",
	}}
	if p.conn, err = stream.Connect(ctx, stream.Config{URL: server.URL(), Name: "test"}, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.conn.Close)
	if _, err := stream.Provision(ctx, p.conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Provision(ctx, p.conn, 1); err != nil {
		t.Fatal(err)
	}
	if p.leases, err = control.OpenLeases(ctx, p.conn, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, e := range p.running {
			if e != nil {
				e.kill()
			}
		}
	})
	return p
}

// start starts both processes, those that have ended anew.
func (p *pair) start() {
	p.t.Helper()
	for i, e := range p.running {
		if e != nil && !e.over() {
			continue
		}
		p.running[i] = p.extract("extractor", p.env)
	}
}

// extract starts one extractor.
func (p *pair) extract(name string, env map[string]string) *extracting {
	p.t.Helper()
	e := &extracting{program: command(context.WithoutCancel(p.t.Context()), p.t, env, name), ended: make(chan struct{})}
	if err := e.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(e.ended)
		_ = e.cmd.Wait()
	}()
	return e
}

func (e *extracting) over() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}

// kill ends a process at once, also a stopped one.
func (e *extracting) kill() {
	_ = e.cmd.Process.Kill()
	<-e.ended
}

// commit is what the last checkpoint says.
type commit struct {
	run    string
	cursor time.Time
	at     time.Time
}

// last is the last checkpoint on the stream.
func (p *pair) last() commit {
	p.t.Helper()
	journal, err := stream.OpenJournal(p.t.Context(), p.conn, "sales-out", "main")
	if err != nil {
		p.t.Fatal(err)
	}
	c := journal.Checkpoint()
	return commit{run: c.GetRunId(), cursor: c.GetCursor().AsTime(), at: c.GetCommittedAt().AsTime()}
}

// leader is the process that commits: the one whose end, or pause, another must follow.
func (p *pair) leader() *extracting {
	p.t.Helper()
	var found *extracting
	p.until("one of them leads", func() bool {
		holder, held, err := p.leases.Current(p.t.Context(), "main")
		if err != nil || !held {
			return false
		}
		for _, e := range p.running {
			if e != nil && !e.over() && strings.HasSuffix(holder.Name, "/"+strconv.Itoa(e.cmd.Process.Pid)) {
				found = e
			}
		}
		return found != nil
	})
	return found
}

// takeover waits for a commit by another run than that of before, and returns how long it took. The cursor must not go back.
func (p *pair) takeover(before commit) time.Duration {
	p.t.Helper()
	began := time.Now()
	p.until("another extractor commits", func() bool {
		now := p.last()
		if now.cursor.Before(before.cursor) {
			p.t.Fatalf("the cursor went back from %v to %v", before.cursor, now.cursor)
		}
		return now.run != before.run
	})
	return time.Since(began)
}

func (p *pair) until(what string, done func() bool) {
	p.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			p.t.Fatalf("waited a minute until %s:\n%s\n%s", what, p.output(0), p.output(1))
		}
	}
}

func (p *pair) output(i int) string {
	e := p.running[i]
	if e == nil {
		return ""
	}
	e.kill() // nobody writes to it any more
	return e.out.String()
}

// prove lets the orders come to rest, waits until all of them are read, and compares the stream with the ledger.
func (p *pair) prove() {
	p.t.Helper()
	p.box.SetFaults(sandbox.AllFaults(0))
	p.box.SetTraffic(sandbox.Traffic{})
	p.box.Settle()
	rest := time.Now()
	p.start()
	p.until("everything is read", func() bool { return p.last().cursor.After(rest.Add(11 * time.Second)) })
	proof, err := juliu.Prove(p.t.Context(), p.conn, "main", p.box.Ledger())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Log(proof)
	if !proof.OK() {
		p.t.Error("the stream differs from what the ERP showed")
	}
}

// SIGKILL of whoever leads, and sometimes of the standby, at random moments: the other takes over within ten seconds, and in the end
// nothing is lost, nothing stored twice, and the checkpoint never went back.
func TestAStandbyTakesOverWithoutAGap(t *testing.T) {
	t.Parallel()
	rounds := 3
	if long() {
		rounds = 200
	}
	p := newPair(t)
	p.start()
	var took []time.Duration
	for range rounds {
		leader := p.leader()
		p.until("it commits", func() bool { return p.last().run != "" })
		settle(time.Duration(rand.N(1500)) * time.Millisecond)
		before := p.last()
		leader.kill()
		took = append(took, p.takeover(before))
		p.start()
	}
	slices.Sort(took)
	t.Logf("%d takeovers after SIGKILL: median %v, p99 %v, longest %v", len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	if p99 := took[len(took)*99/100]; p99 > 10*time.Second {
		t.Errorf("takeover p99 %v, want at most 10s", p99)
	}
	p.prove()
}

// SIGSTOP of the leader for longer than its lease, then SIGCONT: the zombie finds its lease gone or its commit refused, and stores nothing.
func TestAZombieStoresNothing(t *testing.T) {
	t.Parallel()
	rounds := 1
	if long() {
		rounds = 50
	}
	p := newPair(t)
	p.start()
	for range rounds {
		leader := p.leader()
		p.until("it commits", func() bool { return p.last().run != "" })
		settle(time.Duration(rand.N(1500)) * time.Millisecond)
		before := p.last()
		if err := leader.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		p.takeover(before)
		next := p.last().run
		if err := leader.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if now := p.last().run; now != next {
			t.Errorf("after the zombie woke, run %s commits in place of %s", now, next)
		}
		p.start() // a zombie that was fenced has ended
	}
	p.prove()
}

// SIGKILL at each named step of reading and committing, at its first time and at a later one: whoever comes next goes on without a gap, and
// stores nothing twice.
func TestAKillAtAnyStepLosesNothing(t *testing.T) {
	t.Parallel()
	steps := []string{
		"checkpoint-read", "page-read", "commit-before-batch", "commit-mid-batch", "commit-await-ack", "commit-after-ack", "haul-committed",
	}
	times := 1
	if long() {
		times = 10
	}
	p := newPair(t)
	for range times {
		for _, step := range steps {
			env := maps.Clone(p.env)
			env["FAILPOINT"] = step + ":kill:" + strconv.Itoa(1+rand.N(3))
			if step == "checkpoint-read" {
				env["FAILPOINT"] = step + ":kill"
			}
			before := p.last()
			e := p.extract(failing, env)
			p.running[0] = e
			p.until("it dies at "+step, e.over)
			if code := e.cmd.ProcessState.ExitCode(); code != -1 {
				t.Fatalf("at %s it ended with code %d:\n%s", step, code, e.out)
			}
			if now := p.last(); now.cursor.Before(before.cursor) {
				t.Errorf("after a kill at %s the cursor went back from %v to %v", step, before.cursor, now.cursor)
			}
		}
	}
	p.prove()
}

// long tells whether the long form of a test is asked for.
func long() bool { return os.Getenv("JULIU_LONG") != "" }

// settle lets things happen; nothing is waited for.
func settle(d time.Duration) { <-time.After(d) }
