package extractor

import (
	"errors"
	"fmt"
	"time"
)

const (
	// dateStep is how far the ERP's Date may be behind its own clock: it has whole seconds, and was written before the answer came.
	dateStep = 2 * time.Second
	// maxSkew is how far the ERP's clock and ours may differ. Windows end a settle time before now; a clock that runs further ahead
	// than that would step over changes that the ERP has not made yet.
	maxSkew = time.Minute
)

// checkClock holds the ERP's clock against ours and against the window, which must have settled by the ERP's clock. An answer without a
// Date cannot be checked.
func (r *reader) checkClock(server time.Time, w Window) error {
	if server.IsZero() {
		return nil
	}
	skew := server.Sub(r.now())
	if skew.Abs() > maxSkew {
		return &SkewError{Skew: skew}
	}
	if skew > -dateStep {
		r.ahead = 0 // the clock was set right meanwhile: no order need wait for it any more
	}
	early := w.End.Sub(server.Add(-r.settle))
	if early <= dateStep || w.span() == 0 {
		return nil
	}
	r.ahead += early
	return fmt.Errorf("%w: %s", ErrUnsettled, early.Round(time.Second))
}

// ErrUnsettled means that by the ERP's clock the window ends too near to now: ours is ahead. The next windows are planned by the ERP's.
var ErrUnsettled = errors.New("plan by the ERP's clock, this machine's is ahead of it (set it by NTP)")

// SkewError means that this machine's clock and the ERP's are too far apart to know what has settled.
type SkewError struct {
	// Skew is the ERP's time minus ours.
	Skew time.Duration
}

// Error names the skew and the cure.
func (e *SkewError) Error() string {
	return fmt.Sprintf("compare clocks: the ERP's clock is %s from this machine's, more than %s, so orders would be missed: set this machine's clock by NTP",
		e.Skew.Round(time.Second), maxSkew)
}
