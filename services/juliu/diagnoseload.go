package juliu

import (
	"fmt"
	"strconv"
	"time"

	"juliu/pkg/stream"
)

// loaderHolds is the most records that one loader has in hand.
const loaderHolds = 1024

// waitsLong is how long a record may wait while loaders are at work.
const waitsLong = time.Hour

func aboutLoaders(f facts) []finding {
	k := f.nats.consumer
	if k == nil {
		return nil // what is wrong was said above
	}
	var found []finding
	want := stream.Provisioned()
	if k.AckWait != want.AckWait || k.MaxAckPending != want.MaxAckPending {
		found = append(found, find(levelWarn, "consumer", "have", consumerText(*k), "want", consumerText(want)))
	}
	if limit := k.MaxAckPending; limit > 0 && (k.AckPending >= uint64(limit) || k.Waiting > max(uint64(limit)/loaderHolds, 1)) {
		found = append(found, find(levelWarn, "pending-limit", "pending", strconv.FormatUint(k.AckPending, 10), "limit", strconv.Itoa(limit),
			"waiting", strconv.FormatUint(k.Waiting, 10)))
	}
	backlog := strconv.FormatUint(k.Pending+k.AckPending, 10)
	switch {
	case k.Paused: // not as provisioned, as was said
	case k.Pending > 0 && k.Waiting == 0 && k.AckPending == 0 && f.nats.stillAlone():
		found = append(found, find(levelFail, "no-loader", "backlog", backlog))
	case k.AckPending > 0 && stands(f.now, *k):
		found = append(found, find(levelFail, "stuck-loader", "backlog", backlog, "since", sinceText(f.now, k.Acked)))
	default:
		found = append(found, f.aboutBacklog()...)
	}
	if s := f.nats.snapshot; s != nil && expiring(f.now, f.nats.oldest, s.MaxAge) {
		found = append(found, find(levelFail, "expiring", "backlog", backlog, "age", spell(f.now.Sub(f.nats.oldest)), "kept", spell(s.MaxAge)))
	}
	if t, ok := f.nats.handling(); ok && t > k.AckWait {
		found = append(found, find(levelWarn, "handling", "time", spell(t), "wait", spell(k.AckWait)))
	}
	if k.Redelivered > 0 {
		found = append(found, find(levelWarn, "redelivered", "count", strconv.FormatUint(k.Redelivered, 10)))
	}
	if s := f.nats.snapshot; s != nil && s.DeadLetters > 0 {
		found = append(found, find(levelWarn, "dead-letters", "count", strconv.FormatUint(s.DeadLetters, 10)))
	}
	return unless(found, "loaders", "backlog", backlog)
}

// aboutBacklog is about records that wait for long although loaders are at work.
func (f *facts) aboutBacklog() []finding {
	s, age := f.nats.snapshot, f.now.Sub(f.nats.oldest)
	switch {
	case s == nil || f.nats.before == nil || f.nats.oldest.IsZero() || age <= waitsLong || expiring(f.now, f.nats.oldest, s.MaxAge):
		return nil
	case s.Pending == 0:
		return []finding{find(levelWarn, "hung-record", "backlog", strconv.FormatUint(s.Lag(), 10), "age", spell(age))}
	default:
		r := ratesOf(*f.nats.before, *s)
		return []finding{find(levelWarn, "backlog", "backlog", strconv.FormatUint(s.Lag(), 10), "age", spell(age),
			"loaded", fmt.Sprintf("%.1f", r.Loaded), "stored", fmt.Sprintf("%.1f", r.Stored))}
	}
}

// handling is how long a record stays with a loader, by Little's law: what is in hand, divided by what is loaded in a second. It is false where
// nothing was loaded between the two looks.
func (n *natsFacts) handling() (time.Duration, bool) {
	if n.before == nil || n.snapshot == nil {
		return 0, false
	}
	rate := ratesOf(*n.before, *n.snapshot).Loaded
	if rate <= 0 {
		return 0, false
	}
	inHand := float64(n.before.AckPending+n.snapshot.AckPending) / 2
	return time.Duration(inHand / rate * float64(time.Second)), true
}

// stands reports that nothing was acknowledged for long although it was delivered long ago, or more than once.
func stands(now time.Time, k stream.ConsumerState) bool {
	long := 2 * k.AckWait
	return now.Sub(k.Acked) > long && (now.Sub(k.Delivered) > long || k.Redelivered > 0)
}

// stillAlone reports that the second look, too, found records that nobody asks for: between two pulls of a loader it may seem so.
func (n *natsFacts) stillAlone() bool {
	s := n.snapshot
	return s == nil || s.Pending > 0 && s.Waiting == 0 && s.AckPending == 0
}

func consumerText(k stream.ConsumerState) string {
	return fmt.Sprintf("ack_wait %v, max_ack_pending %d", k.AckWait, k.MaxAckPending)
}

// sinceText is how long ago something was, "ever" when it never was.
func sinceText(now, then time.Time) string {
	if then.IsZero() {
		return "ever"
	}
	return spell(now.Sub(then))
}
