package jushuitan

import "context"

// Lane is what a call is for, which decides when it gets its turn: see [WithLane]. The zero Lane is Live.
type Lane uint8

// The lanes, the most urgent first.
const (
	// Live is the flow of new and changed orders. Its calls, like those of Tokens, need not keep an even pace.
	Live Lane = iota
	// Tokens is where InitToken, AccessToken and RefreshToken go by themselves.
	Tokens
	// Repair reads again what an audit found missing.
	Repair
	// Sweep reads past windows again.
	Sweep
	// Backfill reads a stretch of the past on demand.
	Backfill
	// Audit counts what the ERP holds.
	Audit
)

const (
	nobody = Audit + 1 // the lane of no call
	lanes  = int(nobody)
)

// String is the lane's name, stable and fit for a metric label.
func (l Lane) String() string {
	return [...]string{"live", "token", "repair", "sweep", "backfill", "audit"}[min(l, Audit)]
}

// paced says that calls of the lane keep an even pace, so that they never use up the minute in a burst.
func (l Lane) paced() bool { return l > Tokens }

// stride is how far one call moves the lane back in the line of all lanes: a lane has twice the calls of the next one when both wait.
func (l Lane) stride() uint64 { return 1 << l }

type laneKey struct{}

// WithLane puts all calls made with the context on the lane; without it they go on Live.
func WithLane(ctx context.Context, lane Lane) context.Context {
	return context.WithValue(ctx, laneKey{}, min(lane, Audit))
}

func laneOf(ctx context.Context) Lane {
	lane, ok := ctx.Value(laneKey{}).(Lane)
	if !ok {
		return Live
	}
	return lane
}
