package stream

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"juliu/pkg/record"
	juliuv1 "juliu/proto/juliu/v1"
)

const (
	modelResource = "sales-out"
	modelSource   = "main"
)

// world is a stream, the writers that want it, and the batches that have left their writer and not yet arrived.
type world struct {
	*model

	conn    *Conn
	writers []*writer
	flying  [][]*nats.Msg
	counts  map[string]int
	// spare are coroutines without a process: for the race detector a new one is dear.
	spare []*writer
}

// newWorld is a world for a whole test; it must be closed inside the test's bubble.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.SetLevel(0) // nothing is even formatted
	w := &world{model: &model{tb: tb}, conn: &Conn{log: log, now: time.Now, calls: newCalls()}, counts: map[string]int{}}
	w.reset()
	return w
}

// reset empties the stream and ends every process.
func (w *world) reset() {
	for len(w.writers) > 0 {
		w.crash(w.writers[0])
	}
	*w.model = model{tb: w.tb, refused: map[string]bool{}, ended: map[string]bool{}}
	w.flying = nil
}

func (w *world) close() {
	w.reset()
	for _, p := range w.spare {
		p.stop()
	}
}

// writer is a process with a journal. It runs as a coroutine, which stands still wherever it needs the stream.
type writer struct {
	*process

	next  func() (need, bool)
	stop  func()
	yield func(need) bool
}

// process is one life of a writer.
type process struct {
	journal *Journal
	cancel  context.CancelFunc
	// at is where it stands, answer what it is told there.
	at     need
	answer answer
	// rows are how many the next commit takes; id is that commit, unclear: an attempt at it had no answer.
	rows    int
	id      string
	unclear bool
	// closed is why the journal takes no more commits.
	closed error
	gone   bool
}

// need is what a writer waits for: a batch's answer, a question's answer, or its next task after err.
type need struct {
	batch  []*nats.Msg
	filter string
	err    error
}

func (n need) idle() bool { return n.batch == nil && n.filter == "" }

type answer struct {
	sequence uint64
	message  *jetstream.RawStreamMsg
	err      error
}

// start is a new process that opens the journal.
func (w *world) start() *writer {
	var p *writer
	if n := len(w.spare); n > 0 {
		p, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		p = &writer{}
		p.next, p.stop = iter.Pull(p.run)
		_, _ = p.next()
	}
	p.process = &process{journal: newJournal(w.conn, p, modelResource, modelSource)}
	w.writers = append(w.writers, p)
	w.at(p)
	return p
}

// crash ends a process where it stands.
func (w *world) crash(p *writer) {
	w.note(p, "is gone")
	p.gone = true
	p.cancel()
	if n, ok := p.next(); !ok || !n.idle() {
		w.failf("a process outlived its crash")
	}
	w.writers = slices.DeleteFunc(w.writers, func(other *writer) bool { return other == p })
	w.spare = append(w.spare, p)
}

// run is one process after the other.
func (p *writer) run(yield func(need) bool) {
	p.yield = yield
	for yield(need{}) {
		p.live()
	}
}

// live opens the journal and commits as often as it is told to.
func (p *writer) live() {
	err := p.do(p.journal.open)
	for !p.gone && p.yield(need{err: err}) && !p.gone {
		err = p.do(func(ctx context.Context) error { return p.journal.Commit(ctx, p.records(), p.checkpoint()) })
	}
}

// do lets the test give up what the process does.
func (p *writer) do(what func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.cancel = cancel
	return what(ctx)
}

// records are the rows after the cursor: the planner that the protocol rests on.
func (p *writer) records() []record.Record {
	rs := make([]record.Record, p.rows)
	for i := range rs {
		n := int(p.journal.Checkpoint().GetVersion()) + i + 1
		rs[i] = record.Record{Resource: modelResource, Source: modelSource, Shop: "1", Key: strconv.Itoa(n)}
	}
	return rs
}

// checkpoint names in Version the last row, and in Filter the commit that this one is built upon.
func (p *writer) checkpoint() *juliuv1.Checkpoint {
	c := p.journal.Checkpoint()
	return &juliuv1.Checkpoint{Version: c.GetVersion() + int64(p.rows), Filter: identify(c)}
}

// encode makes messages without a body.
func (p *writer) encode(_ context.Context, rs []record.Record) ([]*nats.Msg, error) {
	ms := make([]*nats.Msg, 0, len(rs)+1)
	for _, r := range rs {
		ms = append(ms, &nats.Msg{Subject: RecordSubject(r), Header: nats.Header{HeaderKey: {r.Key}}})
	}
	return ms, nil
}

func (p *writer) send(ctx context.Context, messages []*nats.Msg, _ ...string) (uint64, error) {
	a := p.wait(ctx, need{batch: messages})
	return a.sequence, a.err
}

func (p *writer) last(ctx context.Context, filter string) (*jetstream.RawStreamMsg, error) {
	a := p.wait(ctx, need{filter: filter})
	return a.message, a.err
}

func (p *writer) wait(ctx context.Context, n need) answer {
	if ctx.Err() != nil {
		return answer{err: ctx.Err()}
	}
	if p.gone || !p.yield(n) || p.gone {
		return answer{err: context.Canceled}
	}
	return p.answer
}

// at lets a writer run to where it needs the stream next.
func (w *world) at(p *writer) {
	busy := p.id != ""
	p.at, _ = p.next()
	if p.at.idle() && busy {
		w.settle(p)
		p.id = ""
	}
	if p.at.idle() && !busy && p.at.err != nil {
		p.closed = p.at.err // it could not open
	}
}

// commit gives an idle writer something to do.
func (w *world) commit(p *writer, rows int) {
	w.note(p, "commits")
	p.rows, p.unclear = rows, false
	p.id = p.journal.runID + "/" + strconv.FormatUint(p.journal.commit+1, 10)
	w.at(p)
	if p.closed != nil && p.id != "" {
		w.failf("a journal closed by %q asks for the stream again", p.closed)
	}
}

// settle holds what Commit returned against the stream.
func (w *world) settle(p *writer) {
	err := p.at.err
	w.note(p, "is told", err)
	if p.closed != nil {
		if !errors.Is(err, p.closed) {
			w.failf("a journal closed by %q went on: %v", p.closed, err)
		}
		return
	}
	top, has := w.top(), w.has(p.id)
	switch {
	case err == nil:
		w.counts["stored"]++
		if p.unclear {
			w.counts["stored at last"]++
		}
		if top.id != p.id {
			w.failf("%s returned nil, and the stream ends with %q", p.id, top.id)
		}
		return
	case errors.Is(err, ErrUnclear):
		w.counts["unclear"]++
		p.closed = err
		return
	case errors.Is(err, ErrFenced):
		w.counts["fenced"]++
		p.closed = err
		if top.run == p.journal.runID && !p.unclear {
			w.failf("%s is fenced by its own run", p.id)
		}
		if has && p.unclear { // another writer built upon it before it could read back
			w.counts["fenced although stored"]++
			return
		}
	case errors.Is(err, ErrCheckpointLost):
		w.counts["checkpoint lost"]++
		p.closed = err
	default:
		w.counts["refused"]++
	}
	w.refused[p.id] = true
	if has {
		w.failf("%s is stored, and its journal says %q", p.id, err)
	}
}

// arrival is what becomes of a batch.
type arrival int

const (
	arrives arrival = iota
	// late: it is on its way and arrives after others, or never.
	late
	lost
)

// batch decides what becomes of the batch that a writer waits for.
func (w *world) batch(p *writer, a arrival) (uint64, error) {
	switch a {
	case arrives:
		sequence, err := w.arrive(p.at.batch)
		return sequence, err
	case late:
		w.flying = append(w.flying, p.at.batch)
	case lost:
	}
	return 0, errDisconnected
}

// reply answers a writer.
func (w *world) reply(p *writer, a answer) {
	var api *jetstream.APIError
	if p.at.batch != nil && a.err != nil && !errors.As(a.err, &api) {
		p.unclear = true
	}
	p.answer = a
	w.at(p)
}

// land lets the batch i that was on its way arrive now.
func (w *world) land(i int) {
	batch := w.flying[i]
	w.flying = append(w.flying[:i], w.flying[i+1:]...)
	w.note(nil, "a late batch arrives")
	if _, err := w.arrive(batch); err == nil {
		w.counts["late and stored"]++
	} else {
		w.counts["late and refused"]++
	}
}

// sweep lands what is too late for ever: sequences only grow while nothing is restored.
func (w *world) sweep() {
	for i, batch := range slices.Backward(w.flying) {
		h := batch[len(batch)-1].Header[jetstream.ExpectedLastSubjSeqHeader]
		if len(h) > 0 && h[0] != strconv.FormatUint(w.top().sequence, 10) {
			w.land(i)
		}
	}
}
