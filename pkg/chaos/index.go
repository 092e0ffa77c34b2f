package chaos

import (
	"cmp"
	"slices"
	"time"
)

// index is a history in the order and under the names that the checks need.
type index struct {
	History

	// versions of each order, by ts.
	versions map[string][]Version
	// records of each order as the extractor stored them, by sequence; copies and broken ones are not among them.
	records map[string][]Record
	// last is the last checkpoint; zero without one.
	last Checkpoint
	// lettered maps the sequence of a record to when it was first kept as a dead letter.
	lettered map[uint64]time.Time
	// deliveries are what reached the sink of each order, by time.
	deliveries map[string][]delivery
}

// delivery is a version that the sink had from a moment on.
type delivery struct {
	at       time.Time
	ts       int64
	sequence uint64
}

func newIndex(h History) *index {
	x := &index{
		History: h, versions: map[string][]Version{}, records: map[string][]Record{}, lettered: map[uint64]time.Time{}, deliveries: map[string][]delivery{},
	}
	for _, v := range h.Versions {
		x.versions[v.Key] = append(x.versions[v.Key], v)
	}
	for _, of := range x.versions {
		slices.SortStableFunc(of, func(a, b Version) int { return cmp.Compare(a.TS, b.TS) })
	}
	for _, r := range h.Records {
		if !r.Copy && r.Broken == "" {
			x.records[r.Key] = append(x.records[r.Key], r)
		}
	}
	for _, l := range h.Letters {
		if at, ok := x.lettered[l.Sequence]; !ok || l.Stored.Before(at) {
			x.lettered[l.Sequence] = l.Stored
		}
	}
	if n := len(h.Checkpoints); n > 0 {
		x.last = h.Checkpoints[n-1]
	}
	for _, w := range h.Writes {
		x.deliveries[w.Key] = append(x.deliveries[w.Key], delivery{at: w.At, ts: w.TS, sequence: w.Sequence})
	}
	for _, r := range h.Requests {
		if r.taken() {
			x.deliveries[r.Key] = append(x.deliveries[r.Key], delivery{at: r.At, ts: r.TS, sequence: r.Sequence})
		}
	}
	return x
}

// storedAt is the sequence at which a version was stored or superseded; false when it never was.
func (x *index) storedAt(v Version) (uint64, bool) {
	for _, r := range x.records[v.Key] {
		if r.TS >= v.TS {
			return r.Sequence, true
		}
	}
	return 0, false
}

// next is when the version was replaced by another before the ERP's queries; zero when it is the last.
func (x *index) next(v Version) time.Time {
	of := x.versions[v.Key]
	at, _ := slices.BinarySearchFunc(of, v.TS+1, func(a Version, ts int64) int { return cmp.Compare(a.TS, ts) })
	if at < len(of) {
		return of[at].Visible
	}
	return time.Time{}
}

// settledAt is when a record was written to the sink or kept as a dead letter, whichever came first; false when it was neither. A table keeps
// the newest version alone, so there a newer one counts as well.
func (x *index) settledAt(r Record) (time.Time, bool) {
	at, ok := x.lettered[r.Sequence]
	for _, d := range x.deliveries[r.Key] {
		fits := d.ts == r.TS && d.sequence == r.Sequence
		if x.Run.Sink == Postgres {
			fits = !older(d.ts, d.sequence, r.TS, r.Sequence)
		}
		if fits && (!ok || d.at.Before(at)) {
			at, ok = d.at, true
		}
	}
	return at, ok
}

// older reports that a version is older than another, or the same stored earlier.
func older(ts int64, sequence uint64, thanTS int64, thanSequence uint64) bool {
	return cmp.Or(cmp.Compare(ts, thanTS), cmp.Compare(sequence, thanSequence)) < 0
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
