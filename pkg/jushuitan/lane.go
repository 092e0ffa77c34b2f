package jushuitan

import "context"

type Lane int

const (
	Live Lane = iota
	TokenLane
	Repair
	Sweep
	Backfill
	Audit
)

func WithLane(ctx context.Context, _ Lane) context.Context { return ctx }

type Usage struct {
	Sent, Allowed, Configured int
}

func (c *Client) Usage() Usage { return Usage{} }
