package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Snapshot is how the streams and the loaders stand at one moment, for status lines and metrics. Take one every few seconds, not for
// every record.
type Snapshot struct {
	// ConsumerState is the loaders': Pending and AckPending together are the lag.
	ConsumerState

	// Records is how many records are stored, Bytes how many bytes they take on disk, with checkpoints and requeued copies.
	Records, Bytes uint64
	// At is the server's clock when it answered.
	At time.Time
	// MaxBytes and MaxAge are the stream's limits; 0 means none.
	MaxBytes uint64
	MaxAge   time.Duration
	// FirstSequence and LastSequence, and their times, are the oldest and the newest message.
	FirstSequence, LastSequence uint64
	FirstTime, LastTime         time.Time
	// AckFloor is the sequence up to which everything is loaded or dead-lettered.
	AckFloor uint64
	// DeadLetters is how many dead letters are kept.
	DeadLetters uint64
}

// Lag is how many records are not loaded yet.
func (s Snapshot) Lag() uint64 { return s.Pending + s.AckPending }

// TakeSnapshot asks the server. Errors: *TopologyError when something is missing, *PermissionError.
func TakeSnapshot(ctx context.Context, c *Conn) (Snapshot, error) {
	s, err := c.stream(ctx, Stream)
	if err != nil {
		return Snapshot{}, err
	}
	checkpoints, err := c.count(ctx, s, checkpointPrefix+">")
	if err != nil {
		return Snapshot{}, err
	}
	requeued, err := c.count(ctx, s, recordPrefix+"*.*.*.*"+requeueSuffix)
	if err != nil {
		return Snapshot{}, err
	}
	dead, err := c.stream(ctx, DeadLetterStream)
	if err != nil {
		return Snapshot{}, err
	}
	k, err := c.consumer(ctx, LiveConsumer)
	if err != nil {
		return Snapshot{}, err
	}
	have, loader := s.CachedInfo(), k.CachedInfo()
	return Snapshot{
		ConsumerState: consumerState(loader),
		Records:       have.State.Msgs - min(checkpoints+requeued, have.State.Msgs),
		Bytes:         have.State.Bytes,
		At:            loader.TimeStamp,
		MaxBytes:      uint64(max(have.Config.MaxBytes, 0)),
		MaxAge:        have.Config.MaxAge,
		FirstSequence: have.State.FirstSeq,
		LastSequence:  have.State.LastSeq,
		FirstTime:     have.State.FirstTime,
		LastTime:      have.State.LastTime,
		AckFloor:      loader.AckFloor.Stream,
		DeadLetters:   dead.CachedInfo().State.Msgs,
	}, nil
}

// OldestWaiting is when the oldest record was stored that is not loaded yet; zero when all are. Errors: *TopologyError when the stream is
// missing, *PermissionError.
func OldestWaiting(ctx context.Context, c *Conn, s Snapshot) (time.Time, error) {
	if s.Lag() == 0 {
		return time.Time{}, nil
	}
	on, err := c.stream(ctx, Stream)
	if err != nil {
		return time.Time{}, err
	}
	ctx, done := c.calls.ask(ctx, apiPrefix+"STREAM.MSG.GET."+Stream)
	defer done()
	m, err := on.GetMsg(ctx, s.AckFloor+1, jetstream.WithGetMsgSubject(recordPrefix+">"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, nil // loaded, or too old to be kept, meanwhile
	}
	if err != nil {
		return time.Time{}, c.explain(ctx, "read the oldest record that waits", err)
	}
	return m.Time.UTC(), nil
}

// count is how many of the stream's messages are on subjects of which there are few: a checkpoint for each resource and source, or the
// requeued copies.
func (c *Conn) count(ctx context.Context, s jetstream.Stream, filter string) (uint64, error) {
	subjects, err := c.subjects(ctx, s, filter)
	var n uint64
	for _, count := range subjects {
		n += count
	}
	return n, err
}
