package stream

import (
	"os"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	juliuv1 "juliu/proto/juliu/v1"
)

// long says that the tests with a long form run it: make test-long.
func long() bool { return os.Getenv("JULIU_LONG") != "" }

// model is the stream as the journals of one source see it, and the judge of what they store: it accepts what a server would accept, and
// fails the test when that breaks a promise. The source's rows are the numbers 1, 2, 3 …; the cursor is the last one read. So all that
// was promised is one sentence: the stream holds every row up to its checkpoint's cursor, once, in order.
type model struct {
	tb testing.TB
	// commits are what is stored, oldest first; of their checkpoints only the last is still there.
	commits  []stored
	sequence uint64
	// rewound: a restore made the server hand out the same sequences again; twins are the batches that were fenced by a sequence which
	// now belongs to another checkpoint.
	rewound bool
	twins   int
	// refused are the commits of which a journal said, since the last purge or restore, that they are not stored.
	refused map[string]bool
	// ended are the runs that another one has followed.
	ended map[string]bool
	trace []move
}

// stored is a commit on the stream: the rows after first up to cursor.
type stored struct {
	run, id, parent string
	first, cursor   int
	total, sequence uint64
	body            []byte
}

// move is what happened, for the reader of a failure.
type move struct {
	run  string
	what string
	fact any
}

const moves = 60

func (m *model) note(who *writer, what string, fact ...any) {
	if len(m.trace) > 10*moves {
		m.trace = append(m.trace[:0], m.trace[len(m.trace)-moves:]...)
	}
	one := move{what: what}
	if who != nil {
		one.run = who.journal.runID[:4]
	}
	if len(fact) > 0 {
		one.fact = fact[0]
	}
	m.trace = append(m.trace, one)
}

func (m *model) failf(format string, args ...any) {
	m.tb.Helper()
	for _, one := range m.trace[max(0, len(m.trace)-moves):] {
		m.tb.Log(one.run, one.what, one.fact)
	}
	m.tb.Fatalf(format, args...)
}

// top is the last commit; the zero one when there is none.
func (m *model) top() stored {
	if len(m.commits) == 0 {
		return stored{}
	}
	return m.commits[len(m.commits)-1]
}

func (m *model) has(id string) bool {
	for _, c := range m.commits {
		if c.id == id {
			return true
		}
	}
	return false
}

// arrive is a batch that reaches the server.
func (m *model) arrive(batch []*nats.Msg) (uint64, error) {
	top, h := m.top(), batch[len(batch)-1].Header
	expected, fenced := h[jetstream.ExpectedLastSubjSeqHeader]
	conflict := fenced && expected[0] != strconv.FormatUint(top.sequence, 10)
	if fenced && !conflict && m.rewound && m.parse(batch).parent != top.id {
		// A real server takes it: see TestARestoreCanGiveAnotherCheckpointTheSameSequence.
		m.twins++
		conflict = true
	}
	if conflict {
		return 0, &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence}
	}
	if h.Get(jetstream.MsgRollup) != jetstream.MsgRollupSubject || h.Get(jetstream.MsgTTLHeader) != "never" {
		m.failf("the checkpoint would expire or pile up: %v", h)
	}
	c := m.parse(batch)
	m.judge(c, top)
	m.sequence += uint64(len(batch))
	c.sequence = m.sequence
	if top.run != c.run {
		m.ended[top.run] = true
	}
	m.commits = append(m.commits, c)
	return c.sequence, nil
}

// judge holds a commit against the promises before it is stored upon top.
func (m *model) judge(c, top stored) {
	switch {
	case m.ended[c.run]:
		m.failf("I5: %s of an old writer is stored after the first commit of a newer one", c.id)
	case m.has(c.id):
		m.failf("%s is stored twice", c.id)
	case m.refused[c.id]:
		m.failf("%s is stored after its journal had said that it is not", c.id)
	case c.parent != top.id:
		m.failf("%s was built upon %q and is stored upon %q", c.id, c.parent, top.id)
	case c.first != top.cursor:
		m.failf("I3, I4, I6: %s holds the rows (%d, %d], the stream ends with %d", c.id, c.first, c.cursor, top.cursor)
	case c.total != top.total+uint64(c.cursor-c.first):
		m.failf("%s counts %d rows in all", c.id, c.total)
	}
}

// parse reads a batch: rows without a gap, then the checkpoint that names the last.
func (m *model) parse(batch []*nats.Msg) stored {
	last := batch[len(batch)-1]
	var c juliuv1.Checkpoint
	if err := proto.Unmarshal(last.Data, &c); err != nil || last.Subject != CheckpointSubject(modelResource, modelSource) {
		m.failf("the batch does not end with a checkpoint: %v", err)
	}
	cursor := int(c.GetVersion())
	s := stored{
		run: c.GetRunId(), id: identify(&c), parent: c.GetFilter(), first: cursor - len(batch) + 1, cursor: cursor, total: c.GetTotal(), body: last.Data,
	}
	for i, row := range batch[:len(batch)-1] {
		if row.Header.Get(HeaderKey) != strconv.Itoa(s.first+i+1) {
			m.failf("I4: %s has row %s where its checkpoint needs %d", s.id, row.Header.Get(HeaderKey), s.first+i+1)
		}
	}
	return s
}

func identify(c *juliuv1.Checkpoint) string {
	if c == nil {
		return ""
	}
	return c.GetRunId() + "/" + strconv.FormatUint(c.GetCommit(), 10)
}

// last answers a question.
func (m *model) last(filter string) *jetstream.RawStreamMsg {
	top := m.top()
	if filter == CheckpointSubject(modelResource, modelSource) {
		if top.id == "" {
			return nil
		}
		return &jetstream.RawStreamMsg{Sequence: top.sequence, Data: top.body}
	}
	if top.cursor == 0 {
		return nil
	}
	return &jetstream.RawStreamMsg{Sequence: top.sequence}
}

// purge is an operator who empties the stream; sequences go on.
func (m *model) purge() { m.keep(0) }

// restore is an older state that comes back, by a backup or a crash of a server that does not sync: sequences go on from there.
func (m *model) restore(commits int) {
	m.keep(commits)
	m.sequence, m.rewound = m.top().sequence, true
}

// keep forgets the later commits, and with them what fenced others: a batch that is late enough finds the stream as it expects it.
func (m *model) keep(commits int) {
	m.commits = m.commits[:commits]
	clear(m.refused)
	clear(m.ended)
	for i := 1; i < commits; i++ {
		if m.commits[i-1].run != m.commits[i].run {
			m.ended[m.commits[i-1].run] = true
		}
	}
}
