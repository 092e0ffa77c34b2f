package stream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Snapshot is how the streams and the loaders stand at one moment, for status lines and metrics. Take one every few seconds, not for
// every record.
type Snapshot struct {
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
	// Pending is how many records no loader has been given yet, AckPending how many are being loaded: their sum is the lag.
	Pending, AckPending uint64
	// AckFloor is the sequence up to which everything is loaded or dead-lettered.
	AckFloor uint64
	// Redelivered is how many of AckPending were given more than once.
	Redelivered uint64
	// Waiting is how many requests for records stand open: a loader that has nothing to do keeps one.
	Waiting uint64
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
		Records:       have.State.Msgs - min(checkpoints+requeued, have.State.Msgs),
		Bytes:         have.State.Bytes,
		At:            loader.TimeStamp,
		MaxBytes:      uint64(max(have.Config.MaxBytes, 0)),
		MaxAge:        have.Config.MaxAge,
		FirstSequence: have.State.FirstSeq,
		LastSequence:  have.State.LastSeq,
		FirstTime:     have.State.FirstTime,
		LastTime:      have.State.LastTime,
		Pending:       loader.NumPending,
		AckPending:    uint64(max(loader.NumAckPending, 0)),
		AckFloor:      loader.AckFloor.Stream,
		Redelivered:   uint64(max(loader.NumRedelivered, 0)),
		Waiting:       uint64(max(loader.NumWaiting, 0)),
		DeadLetters:   dead.CachedInfo().State.Msgs,
	}, nil
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
