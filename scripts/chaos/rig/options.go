package rig

import (
	"errors"
	"time"

	"juliu/pkg/chaos"
)

// Options are what a run is of.
type Options struct {
	// Seed decides the orders, the faults, their times and their victims.
	Seed uint64
	// Dir is the folder of the history; it must not exist yet.
	Dir string
	// Bin is the folder of the programs that `make build` leaves, and Self the rig's own program.
	Bin, Self string
	// Sink is chaos.Postgres or chaos.Webhook.
	Sink string
	// Image is PostgreSQL's.
	Image string
	// Orders is how many the ERP has at the start, Traffic how many changes a second it makes.
	Orders  int
	Traffic float64
	// Faults is how many are drawn over Span; those that would be too many at once come after it.
	Faults int
	Span   time.Duration
}

func (o Options) validate() error {
	switch {
	case o.Sink != chaos.Postgres && o.Sink != chaos.Webhook:
		return errors.New("--sink takes postgres or webhook")
	case o.Orders < 1 || o.Traffic < 0 || o.Faults < 1 || o.Span < time.Second:
		return errors.New("--orders and --faults count from 1, --traffic from 0, --span from 1s")
	case o.Dir == "":
		return errors.New("--dir names the folder that the run leaves its history in")
	default:
		return nil
	}
}

// What the services of a run are set to. Looks are frequent, so that many commits are there to be broken.
const (
	settle     = 2 * time.Second
	overlap    = 10 * time.Second
	sweepEvery = 15 * time.Second
	// late is how late a change may show: beyond settle and overlap only the sweep finds it.
	late = 25 * time.Second
	// leaseTTL is after how long a silent holder loses its lease.
	leaseTTL = 6 * time.Second
	// ackWait is the loaders' consumer's, after which what a killed one held comes again.
	ackWait = 30 * time.Second
	// bound is within how much of the last fault's end all must be read and loaded: what was in the hands of a killed loader, a pause of
	// the sink, and the sweep that has to begin after it.
	bound = ackWait + 30*time.Second + 2*sweepEvery
	// inHand is how many events a loader holds at most that sends them one by one: 64, and one pull more. As many a crash repeats. A table
	// with the version guard sees no repetition at all.
	inHand = 128
)

// vendorRates are the calls a second and a minute that the ERP allows.
func vendorRates() [2]int { return [2]int{100, 6000} }
