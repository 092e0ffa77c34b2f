package juliu

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan"
	"juliu/pkg/setting"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

// checkup looks at everything, within ten seconds, and changes nothing.
type checkup struct {
	app  App
	data string
	cfg  config
}

// checkupTime bounds all of it.
const checkupTime = 9 * time.Second

func (c checkup) look(ctx context.Context) facts {
	ctx, cancel := context.WithTimeout(ctx, checkupTime)
	defer cancel()
	f := facts{asked: c.asked()}
	f.up, _ = isUp(c.data) // a folder that cannot be read is told by connect
	c.readExtractor(&f)
	// What does not need NATS goes on beside it.
	var group sync.WaitGroup
	sink := f
	group.Go(func() { lookAtSink(ctx, &sink) })
	group.Go(func() { f.disk = lookAtDisk(c.data) })
	date := make(chan erpFacts, 1)
	group.Go(func() { date <- c.askDate(ctx, f.reading.ERP.BaseURL) })
	natsSide, conn := c.lookAtNATS(ctx)
	if conn != nil {
		defer conn.Close()
	}
	group.Wait()
	f.nats, f.sink, f.problems = natsSide, sink.sink, sink.problems
	f.erp = <-date
	f.token = c.lookAtToken(ctx, conn, f)
	c.callERP(ctx, conn, &f)
	f.now = c.app.Now().UTC()
	if f.nats.ahead != nil {
		f.now = f.now.Add(-*f.nats.ahead)
	}
	return f
}

// asked are the limits that the environment names.
func (c checkup) asked() askedLimits {
	var a askedLimits
	if isSet("STREAM_REPLICAS") {
		a.replicas = &c.cfg.limits.Replicas
	}
	if isSet("STREAM_MAX_AGE") {
		a.maxAge = &c.cfg.limits.MaxAge
	}
	if isSet("STREAM_MAX_BYTES") {
		a.maxBytes = &c.cfg.limits.MaxBytes
	}
	return a
}

// readExtractor reads the extractor's settings: all of them where this environment names credentials, else those that need none.
func (c checkup) readExtractor(f *facts) {
	var err error
	if f.ours = hasCredentials(); f.ours {
		f.reading, err = extractor.LoadConfig(c.app.Now)
	} else {
		f.reading, err = extractor.LoadConfigFor(jushuitan.Config{BaseURL: c.cfg.baseURL}, c.app.Now(), extractor.Defaults{
			Source: "main", Interval: 15 * time.Second, Settle: 30 * time.Second, Overlap: 5 * time.Minute,
		})
	}
	f.addProblems(err)
}

// addProblems notes settings that cannot be used.
func (f *facts) addProblems(err error) {
	if problems, ok := errors.AsType[*setting.Problems](err); ok {
		f.problems = append(f.problems, problems.All...)
	} else if err != nil {
		f.problems = append(f.problems, setting.Problem{Name: "the environment", Fault: err.Error(), Remedy: "correct it"})
	}
}

// lookAtNATS asks one question after the other; the connection is nil when there is none.
func (c checkup) lookAtNATS(ctx context.Context) (natsFacts, *stream.Conn) {
	silent := c.app
	silent.Err = io.Discard // what the connection would log is a finding
	conn, err := silent.connect(ctx, c.data)
	if err != nil {
		return natsFacts{err: err}, nil
	}
	n := natsFacts{server: conn.Server()}
	if account, err := stream.DescribeAccount(ctx, conn); n.note(err) {
		n.account = &account
	}
	if n.noJetStream {
		return n, conn
	}
	n.note(stream.Check(ctx, conn))
	for _, name := range []string{stream.Stream, stream.DeadLetterStream} {
		c.lookAtStream(ctx, conn, name, &n)
	}
	if before, err := stream.TakeSnapshot(ctx, conn); n.note(err) {
		n.before, n.consumer = &before, &before.ConsumerState
	}
	began := time.NewTimer(between)
	defer began.Stop()
	c.lookAtSources(ctx, conn, &n)
	if n.before == nil {
		return n, conn // to ask again would say the same
	}
	select {
	case <-began.C:
	case <-ctx.Done():
	}
	if snapshot, err := stream.TakeSnapshot(ctx, conn); n.note(err) {
		n.snapshot = &snapshot
		n.oldest, err = stream.OldestWaiting(ctx, conn, snapshot)
		n.note(err)
	}
	return n, conn
}

// lookAtSources looks at what is read, by whom, and at the jobs.
func (c checkup) lookAtSources(ctx context.Context, conn *stream.Conn, n *natsFacts) {
	if sources, err := stream.Sources(ctx, conn); n.note(err) {
		n.sources = sources
	}
	if shops, err := stream.Shops(ctx, conn); n.note(err) {
		n.shops = shops
	}
	if found, err := holders(ctx, conn); n.note(err) {
		n.holders = found
	}
	jobs, err := control.OpenJobs(ctx, conn, c.app.Now)
	if n.note(err) {
		n.jobs, err = jobs.List(ctx)
		n.seenJobs = n.note(err)
	}
}

// lookAtStream also compares the clocks: the server's answer was made between question and answer.
func (c checkup) lookAtStream(ctx context.Context, conn *stream.Conn, name string, n *natsFacts) {
	before := c.app.Now()
	condition, err := stream.DescribeStream(ctx, conn, name)
	if !n.note(err) {
		return
	}
	n.streams = append(n.streams, condition)
	after := c.app.Now()
	if !condition.At.IsZero() {
		ahead := before.Add(after.Sub(before) / 2).Sub(condition.At)
		n.ahead = &ahead
	}
}

// lookAtToken opens the stored token of the source.
func (c checkup) lookAtToken(ctx context.Context, conn *stream.Conn, f facts) tokenFacts {
	switch {
	case !f.ours || f.reading.ERP.AppSecret.IsZero():
		return tokenFacts{skipped: "token-no-secret"}
	case conn == nil || f.nats.noJetStream:
		return tokenFacts{skipped: "token-no-nats"}
	}
	tokens, err := control.OpenTokens(ctx, conn, f.reading.ERP.AppSecret)
	var token control.Token
	if err == nil {
		token, _, err = tokens.Load(ctx, f.reading.Source)
	}
	_, denied := errors.AsType[*stream.PermissionError](err)
	switch {
	case errors.Is(err, control.ErrSealed):
		return tokenFacts{sealed: true}
	case denied:
		return tokenFacts{skipped: "token-denied"}
	case err != nil:
		return tokenFacts{skipped: "token-no-nats"}
	default:
		return tokenFacts{expires: token.Expires, term: token.Term}
	}
}

// lookAtDisk measures the disk of juliu up's folder, when it is there.
func lookAtDisk(folder string) diskFacts {
	_, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return diskFacts{}
	}
	d := diskFacts{folder: folder}
	d.free, d.total, d.err = embednats.Free(folder)
	return d
}

// silence is a log that nobody reads: what is wrong is a finding.
func silence() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}
