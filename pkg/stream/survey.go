package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What the promises ask of a server: the JetStream API level of nats-server 2.14, and a message size that most orders fit into.
const (
	MinAPILevel = minAPILevel
	MinPayload  = minPayload
)

// ErrNoJetStream means that the server, or our account on it, has no JetStream.
var ErrNoJetStream = errors.New("JetStream is not enabled for this account")

// ServerState is the server at the other end of a connection.
type ServerState struct {
	// Address is where we connected, without credentials; Name, Version and Cluster are the server's own words, Cluster "" alone.
	Address, Name, Version, Cluster string
	// MaxPayload is the largest message in bytes.
	MaxPayload int64
}

// Server is the server that the connection stands to now.
func (c *Conn) Server() ServerState {
	return ServerState{
		Address: c.server, Name: c.nc.ConnectedServerName(), Version: c.nc.ConnectedServerVersion(), Cluster: c.nc.ConnectedClusterName(),
		MaxPayload: c.nc.MaxPayload(),
	}
}

// AccountState is JetStream as our account has it.
type AccountState struct {
	// APILevel is the server's; compare it with MinAPILevel.
	APILevel int
	// Store is how many bytes all its streams take on disk, MaxStore how many they may; 0 means no limit.
	Store, MaxStore uint64
}

// DescribeAccount asks the server. Errors: ErrNoJetStream, *PermissionError.
func DescribeAccount(ctx context.Context, c *Conn) (AccountState, error) {
	ctx, done := c.calls.ask(ctx, apiPrefix+"INFO")
	defer done()
	account, err := c.js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return AccountState{}, fmt.Errorf("ask for the JetStream account: %w", ErrNoJetStream)
	}
	if err != nil {
		return AccountState{}, c.explain(ctx, "ask for the JetStream account", err)
	}
	return AccountState{
		APILevel: account.API.Level, Store: account.Store, MaxStore: uint64(max(account.Limits.MaxStore, 0)),
	}, nil
}

// Condition is how one of juliu's streams is: its limits, its size, and the servers that hold it.
type Condition struct {
	Name     string
	Replicas int
	// MaxAge and MaxBytes are its limits; 0 means none.
	MaxAge          time.Duration
	MaxBytes, Bytes uint64
	// Behind are the servers that hold a replica which is offline or has not caught up; Leaderless says that none leads.
	Behind     []string
	Leaderless bool
	// At is the server's clock when it answered.
	At time.Time
}

// DescribeStream asks the server. Errors: *TopologyError when the stream is missing, *PermissionError.
func DescribeStream(ctx context.Context, c *Conn, name string) (Condition, error) {
	s, err := c.stream(ctx, name)
	if err != nil {
		return Condition{}, err
	}
	info := s.CachedInfo()
	state := Condition{
		Name: name, Replicas: info.Config.Replicas, MaxAge: info.Config.MaxAge, MaxBytes: uint64(max(info.Config.MaxBytes, 0)),
		Bytes: info.State.Bytes, At: info.TimeStamp,
	}
	if info.Cluster != nil && info.Cluster.Name != "" {
		state.Leaderless = info.Cluster.Leader == ""
		for _, peer := range info.Cluster.Replicas {
			if peer.Offline || !peer.Current {
				state.Behind = append(state.Behind, peer.Name)
			}
		}
	}
	return state, nil
}

// ConsumerState is the loaders' durable.
type ConsumerState struct {
	AckWait       time.Duration
	MaxAckPending int
	Paused        bool
	// Pending is how many records no loader has been given yet, AckPending how many are being loaded, Redelivered how many of these were
	// given more than once.
	Pending, AckPending, Redelivered uint64
	// Waiting is how many requests for records stand open: a loader that has nothing to do keeps one.
	Waiting uint64
	// Acked and Delivered are when a loader last finished a record and was last given one; zero before the first.
	Acked, Delivered time.Time
}

func consumerState(info *jetstream.ConsumerInfo) ConsumerState {
	state := ConsumerState{
		AckWait: info.Config.AckWait, MaxAckPending: info.Config.MaxAckPending, Paused: info.Paused,
		Pending: info.NumPending, AckPending: uint64(max(info.NumAckPending, 0)), Redelivered: uint64(max(info.NumRedelivered, 0)),
		Waiting: uint64(max(info.NumWaiting, 0)),
	}
	if t := info.AckFloor.Last; t != nil {
		state.Acked = *t
	}
	if t := info.Delivered.Last; t != nil {
		state.Delivered = *t
	}
	return state
}

// Provisioned is the loaders' durable as Provision sets it up: AckWait and MaxAckPending.
func Provisioned() ConsumerState {
	want := liveConsumer()
	return ConsumerState{AckWait: want.AckWait, MaxAckPending: want.MaxAckPending}
}
