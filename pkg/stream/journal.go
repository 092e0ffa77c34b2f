package stream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/failpoint"
	"juliu/pkg/logging"
	"juliu/pkg/record"
	juliuv1 "juliu/proto/juliu/v1"
)

const (
	firstWait = 50 * time.Millisecond
	longWait  = 500 * time.Millisecond
)

// Journal is the stream as the one writer of a resource and source sees it: the last checkpoint, and Commit. It is not safe for
// concurrent use.
type Journal struct {
	conn     *Conn
	server   server
	resource string
	source   string
	subject  string // of the checkpoint

	runID      string
	commit     uint64
	checkpoint *juliuv1.Checkpoint
	sequence   uint64 // of the checkpoint; 0 before the first
	broken     error  // why no more commits are taken
}

// OpenJournal reads the checkpoint from the stream's leader. Errors: *TopologyError when the stream is missing or not as the promises
// need it, *PermissionError, *CheckpointError, ErrOrphaned.
func OpenJournal(ctx context.Context, c *Conn, resource, source string) (*Journal, error) {
	s, err := OpenStream(ctx, c, recordStream(Limits{}))
	if err != nil {
		return nil, err
	}
	j := newJournal(c, leader{Conn: c, stream: s}, resource, source)
	if err := j.open(ctx); err != nil {
		return nil, err
	}
	return j, nil
}

func newJournal(c *Conn, s server, resource, source string) *Journal {
	return &Journal{
		conn: c, server: s, resource: resource, source: source, subject: CheckpointSubject(resource, source), runID: rand.Text(),
	}
}

// open learns where the source stands.
func (j *Journal) open(ctx context.Context) error {
	var err error
	if j.checkpoint, j.sequence, err = j.read(ctx); err != nil {
		return err
	}
	return j.refuseOrphans(ctx)
}

// refuseOrphans finds records without a checkpoint. They are always stored together, so it was lost.
func (j *Journal) refuseOrphans(ctx context.Context) error {
	if j.checkpoint != nil {
		return nil
	}
	last, err := j.server.last(ctx, recordsOf(j.resource, j.source))
	if err != nil || last == nil {
		return err
	}
	// Another extractor's first commit may have come between.
	if j.checkpoint, j.sequence, err = j.read(ctx); err != nil || j.checkpoint != nil {
		return err
	}
	return ErrOrphaned
}

// Checkpoint is the last checkpoint, nil before a source's first commit. The caller must not change it.
func (j *Journal) Checkpoint() *juliuv1.Checkpoint { return j.checkpoint }

// Commit stores the records and then next as one act: either all of it is stored or nothing. It takes up to MaxRecords records, also
// none, and fills run_id, commit, records, total and committed_at of a copy of next. nil means stored; on a server that syncs every
// write, on disk.
//
// An answer that does not come is resolved by reading the checkpoint back and, when it is still the old one, sending the same commit
// again, until ctx ends or the server refuses it; then the error is ErrUnclear, because the first one may arrive yet. Other errors mean
// that nothing is stored: ErrCheckpointLost (for good), ErrFull, ErrTooLarge, *PermissionError, *TopologyError; and ErrFenced (for
// good), but for a commit whose answer was lost and upon which another extractor has built since.
func (j *Journal) Commit(ctx context.Context, records []record.Record, next *juliuv1.Checkpoint) error {
	if j.broken != nil {
		return j.broken
	}
	if len(records) > MaxRecords {
		return fmt.Errorf("commit %d records: at most %d fit", len(records), MaxRecords)
	}
	for _, r := range records {
		if r.Resource != j.resource || r.Source != j.source {
			return fmt.Errorf("commit: a record of %s of %s in the journal of %s of %s", r.Resource, r.Source, j.resource, j.source)
		}
	}
	messages, err := j.server.encode(ctx, records)
	if err != nil {
		return err
	}
	// Every commit has its own number, also one that failed, so that reading back never takes one commit for another.
	j.commit++
	checkpoint := j.number(next, len(records))
	last, err := j.message(checkpoint)
	if err != nil {
		return err
	}
	sequence, err := j.store(ctx, append(messages, last), checkpoint)
	if err != nil {
		if errors.Is(err, ErrFenced) || errors.Is(err, ErrCheckpointLost) || errors.Is(err, ErrUnclear) {
			j.broken = err
		}
		return err
	}
	j.checkpoint, j.sequence = checkpoint, sequence
	return nil
}

func (j *Journal) number(next *juliuv1.Checkpoint, records int) *juliuv1.Checkpoint {
	c := proto.CloneOf(next)
	c.RunId = j.runID
	c.Commit = j.commit
	c.Records = uint32(records)                         //nolint:gosec // at most MaxRecords
	c.Total = j.checkpoint.GetTotal() + uint64(records) //nolint:gosec // a length
	c.CommittedAt = timestamppb.New(j.conn.now())
	return c
}

// message is the checkpoint's message: it replaces its predecessor, never expires, and is refused, with the whole batch, unless the
// checkpoint that this journal knows is still the last.
func (j *Journal) message(c *juliuv1.Checkpoint) (*nats.Msg, error) {
	body, err := proto.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	return &nats.Msg{Subject: j.subject, Data: body, Header: nats.Header{
		jetstream.MsgRollup:                 {jetstream.MsgRollupSubject},
		jetstream.MsgTTLHeader:              {"never"},
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(j.sequence, 10)},
	}}, nil
}

// store sends the batch until it is known to be stored or refused, and returns the checkpoint's sequence.
func (j *Journal) store(ctx context.Context, messages []*nats.Msg, c *juliuv1.Checkpoint) (uint64, error) {
	subjects := []string{j.subject, recordPrefix + Escape(j.resource) + "." + Escape(j.source) + "."}
	// A refused right may be told between two attempts, so the commit as a whole listens for it.
	ctx, done := j.conn.calls.follow(ctx, subjects...)
	defer done()
	unanswered := false // an earlier attempt may be on its way yet
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		sequence, err := j.server.send(ctx, messages, subjects...)
		if err == nil {
			failpoint.Hit("commit-after-ack")
			return sequence, nil
		}
		meaning, err := judge(err)
		if meaning == refused && unanswered {
			return 0, fmt.Errorf("%w: %w", ErrUnclear, err)
		}
		if meaning == refused {
			return 0, fmt.Errorf("commit: %w", err)
		}
		unanswered = unanswered || !answered(err)
		j.conn.log.WithError(err).WithField(logging.Commit, c.GetCommit()).Warn("commit unclear; reading the checkpoint back")
		stored, sequence, err := j.readBack(ctx)
		if err != nil {
			return 0, err
		}
		switch {
		case stored.GetRunId() == c.GetRunId() && stored.GetCommit() == c.GetCommit():
			return sequence, nil
		case sequence > j.sequence:
			return 0, ErrFenced
		case sequence < j.sequence:
			return 0, ErrCheckpointLost
		}
		if !pause(ctx, wait) {
			return 0, fmt.Errorf("%w: %w", ErrUnclear, context.Cause(ctx))
		}
	}
}

// readBack reads the checkpoint, and while that fails for reasons that pass, tries again until ctx ends.
func (j *Journal) readBack(ctx context.Context) (*juliuv1.Checkpoint, uint64, error) {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		c, sequence, err := j.read(ctx)
		if err == nil {
			return c, sequence, nil
		}
		var exit interface{ ExitCode() int }
		if errors.As(err, &exit) {
			return nil, 0, fmt.Errorf("%w: %w", ErrUnclear, err)
		}
		if !pause(ctx, wait) {
			return nil, 0, fmt.Errorf("%w: %w", ErrUnclear, err)
		}
	}
}

// read is the last checkpoint and its sequence as the stream's leader has them; nil and 0 when there is none.
func (j *Journal) read(ctx context.Context) (*juliuv1.Checkpoint, uint64, error) {
	m, err := j.server.last(ctx, j.subject)
	failpoint.Hit("checkpoint-read")
	if err != nil || m == nil {
		return nil, 0, err
	}
	c, err := parseCheckpoint(m)
	return c, m.Sequence, err
}

// parseCheckpoint is the checkpoint in a message, or a *CheckpointError. Every commit names its run, so what names none, an empty message
// for one, is another's; to start at EXTRACTOR_START in its stead could leave a gap.
func parseCheckpoint(m *jetstream.RawStreamMsg) (*juliuv1.Checkpoint, error) {
	c := &juliuv1.Checkpoint{}
	if err := proto.Unmarshal(m.Data, c); err != nil || c.GetRunId() == "" {
		return nil, &CheckpointError{Subject: m.Subject, Sequence: m.Sequence}
	}
	return c, nil
}
