package juliu

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/control"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
)

// statusOf is a look, with what only an earlier one can tell beside it.
func statusOf(before stream.Snapshot, now look) statusLine {
	v := statusLine{
		At: now.at, Server: now.server, Up: now.up, Sources: []sourceLine{}, Jobs: []jobLine{}, DeadLetters: now.stream.DeadLetters,
		Stream: streamLine{
			Records: now.stream.Records, Bytes: now.stream.Bytes, MaxBytes: now.stream.MaxBytes, MaxAge: now.stream.MaxAge.Seconds(),
			FirstSequence: now.stream.FirstSequence, LastSequence: now.stream.LastSequence,
		},
		Loaders: loadersOf(now), Rates: ratesOf(before, now.stream),
		jobs: openJobs(now.jobs),
	}
	if now.stream.Records > 0 {
		v.Stream.FirstTime = now.stream.FirstTime
	}
	v.Loaders.ETA = eta(now.stream.Lag(), v.Rates)
	for _, s := range withUnread(now.sources, now.holders) {
		v.Sources = append(v.Sources, sourceOf(s, now))
	}
	slices.SortStableFunc(v.Sources, func(a, b sourceLine) int { return later(b.Checkpoint.Committed, a.Checkpoint.Committed) })
	for _, job := range v.jobs {
		v.Jobs = append(v.Jobs, jobLineOf(job))
	}
	return v
}

// loadersOf leaves the ETA to whoever knows the rates.
func loadersOf(now look) loadersLine {
	s := now.stream
	return loadersLine{
		Waiting: s.Waiting, Backlog: s.Lag(), AckPending: s.AckPending, Redelivered: s.Redelivered, AckFloor: s.AckFloor,
		Oldest: timeUnlessZero(now.oldest), Acked: timeUnlessZero(s.Acked),
		Stuck: s.AckPending > 0 && stands(now.at, s.ConsumerState), Expiring: expiring(now.at, now.oldest, s.MaxAge), Paused: s.Paused,
	}
}

// expiring reports that the oldest record that waits will soon be deleted for its age.
func expiring(now, oldest time.Time, maxAge time.Duration) bool {
	return maxAge > 0 && !oldest.IsZero() && now.Sub(oldest).Seconds() > worrying*maxAge.Seconds()
}

// withUnread adds to the sources those whose lease is held while nothing of them was ever committed.
func withUnread(sources []stream.SourceState, holders map[string]control.Holder) []stream.SourceState {
	all := slices.Clone(sources)
	for _, name := range slices.Sorted(maps.Keys(holders)) {
		if !slices.ContainsFunc(sources, func(s stream.SourceState) bool { return s.Source == name }) {
			all = append(all, stream.SourceState{Source: name})
		}
	}
	return all
}

func sourceOf(s stream.SourceState, now look) sourceLine {
	c := s.Checkpoint
	line := sourceLine{
		Source: s.Source, Resource: s.Resource,
		Checkpoint: checkpointLine{
			Cursor: timeOf(c.GetCursor()), Committed: timeOf(c.GetCommittedAt()), ReadAt: timeOf(c.GetReadAt()),
			SweptAt: timeOf(c.GetSweptAt()), Start: timeOf(c.GetStart()), Mode: "window", Filter: c.GetFilter(), Total: c.GetTotal(), Standing: standing(c),
		},
		Audit: lastAudit(now.jobs, s.Source),
	}
	if c.GetVersion() != 0 {
		line.Checkpoint.Mode = "ts"
	}
	if line.Checkpoint.Cursor != nil {
		line.Checkpoint.Behind = seconds(now.at.Sub(*line.Checkpoint.Cursor))
	}
	if s.Sequence > 0 {
		line.Newest = &newestLine{Sequence: s.Sequence, Stored: s.Stored.UTC(), Age: seconds(now.at.Sub(s.Stored))}
		if !s.Modified.IsZero() {
			line.Newest.Modified = &s.Modified
		}
	}
	if holder, held := now.holders[s.Source]; held {
		line.Lease = &leaseLine{Holder: holder.Name, Since: holder.Since, Term: control.LeaseTTL.Seconds()}
		if q := holder.Quota; q != nil {
			line.Quota = &quotaLine{Used: q.Used, Allowed: q.Allowed, Configured: q.Configured, Refused: q.Refused}
		}
	}
	return line
}

const (
	// cursorLate is how much older than the last commit the reading may be that moved the cursor.
	cursorLate = 30 * time.Minute
	// cursorNear is how near to that reading the cursor is when it had caught up, EXTRACTOR_SETTLE and some more: on the way there the
	// cursor moves while the reading, which may be of a whole day, is one.
	cursorNear = 10 * time.Minute
)

// standing reports that sweeps or jobs commit while the live reading, which had caught up, does not go on.
func standing(c *juliuv1.Checkpoint) bool {
	if c.GetReadAt() == nil || c.GetCursor() == nil || c.GetCommittedAt() == nil {
		return false
	}
	readAt := c.GetReadAt().AsTime()
	return c.GetCommittedAt().AsTime().Sub(readAt) > cursorLate && readAt.Sub(c.GetCursor().AsTime()) < cursorNear
}

// ratesOf compares two looks by the server's clock. What is deleted for its age meanwhile was counted as stored and not as loaded, a few
// records at most.
func ratesOf(before, now stream.Snapshot) ratesLine {
	span := now.At.Sub(before.At).Seconds()
	if span <= 0 {
		return ratesLine{}
	}
	stored := max(float64(now.Records)-float64(before.Records), 0)
	loaded := max(stored+float64(before.Lag())-float64(now.Lag()), 0)
	return ratesLine{Stored: tenths(stored / span), Loaded: tenths(loaded / span), Seconds: tenths(span)}
}

// eta is how long a backlog will take in seconds: 0 without one, nil while it does not shrink.
func eta(backlog uint64, r ratesLine) *float64 {
	net := r.Loaded - r.Stored
	switch {
	case backlog == 0:
		return new(float64)
	case net <= 0:
		return nil
	default:
		left := tenths(float64(backlog) / net)
		return &left
	}
}

func tenths(f float64) float64 { return float64(int64(f*10+0.5)) / 10 }

func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

func timeOf(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}

func timeUnlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// later orders times; none comes before all.
func later(a, b *time.Time) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(boolean(a != nil), boolean(b != nil))
	default:
		return a.Compare(*b)
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
