package juliu

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"juliu/pkg/stream"
)

// level is how bad a finding is.
type level string

// The levels: fine, worth a look, broken, and not looked at.
const (
	levelOK   level = "ok"
	levelWarn level = "warn"
	levelFail level = "fail"
	levelSkip level = "skip"
)

// finding is one thing that doctor has to say; its words stand in texts under code.
type finding struct {
	code  string
	level level
	// values take the places of {name} in the words.
	values map[string]string
}

// find makes a finding of a code and pairs of names and values.
func find(l level, code string, pairs ...string) finding {
	f := finding{code: code, level: l, values: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.values[pairs[i]] = pairs[i+1]
	}
	return f
}

// diagnose judges the facts. Each area has at least one finding: what is wrong, else that it is fine, or why it was not looked at.
func diagnose(f facts) []finding {
	var all []finding
	for _, area := range []func(facts) []finding{
		aboutSettings, aboutServer, aboutStreams, aboutLoaders, aboutSources, aboutJobs, aboutClock, aboutERP, aboutToken, aboutSink, aboutDisk,
	} {
		all = append(all, area(f)...)
	}
	return all
}

// unless adds that an area is fine where nothing in it is wrong.
func unless(found []finding, code string, pairs ...string) []finding {
	for _, one := range found {
		if one.level == levelWarn || one.level == levelFail {
			return found
		}
	}
	return append([]finding{find(levelOK, code, pairs...)}, found...)
}

func aboutSettings(f facts) []finding {
	var found []finding
	for _, p := range f.problems {
		found = append(found, find(levelFail, "setting", "name", p.Name, "fault", p.Fault, "remedy", p.Remedy))
	}
	if sum := f.erp.signature; sum != nil {
		found = append(found, find(levelFail, "signature", "cause", sum.Error()))
	}
	if f.ours && (f.reading.ERP.RatePerSecond > vendorSecond || f.reading.ERP.RatePerMinute > vendorMinute) && f.reading.ERP.BaseURL == "" {
		found = append(found, find(levelWarn, "rate", "second", strconv.Itoa(f.reading.ERP.RatePerSecond), "minute", strconv.Itoa(f.reading.ERP.RatePerMinute)))
	}
	return unless(found, "settings")
}

// The vendor's limits behind codes 199 and 200.
const (
	vendorSecond = 5
	vendorMinute = 100
)

func aboutServer(f facts) []finding {
	n := f.nats
	if n.err != nil {
		return []finding{find(levelFail, "nats-unreachable", "cause", n.err.Error())}
	}
	if n.noJetStream {
		return []finding{find(levelFail, "jetstream-off", "server", n.server.Address)}
	}
	var found []finding
	if n.account != nil && n.account.APILevel < stream.MinAPILevel {
		found = append(found, find(levelWarn, "nats-old", "version", n.server.Version, "level", strconv.Itoa(n.account.APILevel)))
	}
	if n.server.MaxPayload < stream.MinPayload {
		found = append(found, find(levelWarn, "payload", "size", bytesText(uint64(max(n.server.MaxPayload, 0)))))
	}
	if n.account != nil {
		found = append(found, full("account-full", n.account.Store, n.account.MaxStore)...)
	}
	if len(n.denied) > 0 {
		found = append(found, find(levelWarn, "right", "rights", strings.Join(n.denied, ", ")))
	}
	if n.silent != nil {
		found = append(found, find(levelFail, "nats-silent", "cause", n.silent.Error()))
	}
	if !f.up {
		found = append(found, find(levelSkip, "sync"))
	}
	return unless(found, "nats", "server", n.server.Address, "version", n.server.Version)
}

// full judges how much of a limit is used; a limit of 0 is none.
func full(code string, used, limit uint64) []finding {
	if limit == 0 {
		return nil
	}
	share := float64(used) / float64(limit)
	pairs := []string{"used", bytesText(used), "limit", bytesText(limit), "share", fmt.Sprintf("%.0f %%", share*100)}
	switch {
	case share >= 0.95:
		return []finding{find(levelFail, code, pairs...)}
	case share >= worrying:
		return []finding{find(levelWarn, code, pairs...)}
	default:
		return nil
	}
}

func aboutStreams(f facts) []finding {
	n := f.nats
	if n.err != nil || n.noJetStream {
		return nil
	}
	var found []finding
	if len(n.differences) > 0 {
		found = append(found, find(levelFail, "not-provisioned", "differences", strings.Join(unique(n.differences), "; ")))
	}
	for _, s := range n.streams {
		found = append(found, aboutStream(f, s)...)
	}
	if len(n.streams) == 0 && len(found) == 0 {
		return []finding{find(levelSkip, "streams-unseen")}
	}
	return unless(found, "streams")
}

func aboutStream(f facts, s stream.Condition) []finding {
	var found []finding
	if s.Leaderless {
		found = append(found, find(levelFail, "leaderless", "stream", s.Name))
	}
	if len(s.Behind) > 0 {
		found = append(found, find(levelWarn, "replica", "stream", s.Name, "servers", strings.Join(s.Behind, ", ")))
	}
	if s.Replicas == 1 && f.nats.server.Cluster != "" {
		found = append(found, find(levelWarn, "one-copy", "stream", s.Name, "cluster", f.nats.server.Cluster))
	}
	if s.Name != stream.Stream {
		return found
	}
	found = append(found, full("stream-full", s.Bytes, s.MaxBytes)...)
	differs := func(name, have, want string) {
		if have != want {
			found = append(found, find(levelWarn, "limit", "name", name, "have", have, "want", want))
		}
	}
	if a := f.asked.replicas; a != nil {
		differs("STREAM_REPLICAS", strconv.Itoa(s.Replicas), strconv.Itoa(max(*a, 1)))
	}
	if a := f.asked.maxAge; a != nil {
		differs("STREAM_MAX_AGE", s.MaxAge.String(), a.String())
	}
	if a := f.asked.maxBytes; a != nil {
		differs("STREAM_MAX_BYTES", strconv.FormatUint(s.MaxBytes, 10), strconv.FormatInt(max(*a, 0), 10))
	}
	if s.MaxAge > 0 && f.reading.SweepEvery > 0 && s.MaxAge < f.reading.SweepSpan {
		found = append(found, find(levelWarn, "age-short", "age", spell(s.MaxAge), "span", spell(f.reading.SweepSpan)))
	}
	if s.MaxAge > 0 && f.reading.AuditEvery > 0 && s.MaxAge < f.reading.AuditSpan {
		found = append(found, find(levelWarn, "age-audit", "age", spell(s.MaxAge), "span", spell(f.reading.AuditSpan)))
	}
	return found
}

// unique leaves out what was said before.
func unique(texts []string) []string {
	seen := map[string]bool{}
	var once []string
	for _, text := range texts {
		if !seen[text] {
			seen[text] = true
			once = append(once, text)
		}
	}
	return once
}

// loaderHolds is the most records that one loader has in hand.
const loaderHolds = 1024

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
	if limit := k.MaxAckPending; limit > 0 && (k.AckPending >= uint64(limit) || k.Waiting > max(limit/loaderHolds, 1)) {
		found = append(found, find(levelWarn, "pending-limit", "pending", strconv.FormatUint(k.AckPending, 10), "limit", strconv.Itoa(limit),
			"waiting", strconv.Itoa(k.Waiting)))
	}
	backlog := strconv.FormatUint(k.Pending+k.AckPending, 10)
	switch {
	case k.Paused: // not as provisioned, as was said
	case k.Pending > 0 && k.Waiting == 0 && k.AckPending == 0 && f.nats.stillAlone():
		found = append(found, find(levelFail, "no-loader", "backlog", backlog))
	case k.AckPending > 0 && stands(f.now, *k):
		found = append(found, find(levelFail, "stuck-loader", "backlog", backlog, "since", sinceText(f.now, k.Acked)))
	}
	if k.Redelivered > 0 {
		found = append(found, find(levelWarn, "redelivered", "count", strconv.FormatUint(k.Redelivered, 10)))
	}
	if s := f.nats.snapshot; s != nil && s.DeadLetters > 0 {
		found = append(found, find(levelWarn, "dead-letters", "count", strconv.FormatUint(s.DeadLetters, 10)))
	}
	return unless(found, "loaders", "backlog", backlog)
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
