package sandbox

import (
	"cmp"
	"slices"
	"time"
)

// firstIOID is the number of the first order; the row at index i has io_id firstIOID+i.
const firstIOID = 100_000

// firstTS lies above 2^31, so that a reader that keeps ts in 32 bits fails.
const firstTS = 1<<31 + 1_000_003

// version is the part of an order that changes, and when it was seen.
type version struct {
	ts       int64
	modified int64 // milliseconds since 1970, UTC
	shipped  int64 // io_date in seconds since 1970, UTC; 0 before shipping
	visible  int64 // nanoseconds since 1970, UTC
	served   bool  // stood in an answer
	status   status
	edits    uint16
	flaws    quirk
}

// row is one order: what never changes but cannot be derived from its number, and all its versions, oldest first.
type row struct {
	created  int64 // seconds since 1970, UTC
	versions []version
	shown    int32 // index of the version that queries see, -1 before the first
}

func (r *row) current() *version { return &r.versions[r.shown] }

// newest may not be visible yet; such a row is locked, as by the transaction that is still to commit.
func (r *row) newest() *version { return &r.versions[len(r.versions)-1] }

func (r *row) locked() bool { return int(r.shown) != len(r.versions)-1 }

// index keeps the visible rows in the order of one key, then io_id. Row numbers in a sorted slice: at 200,000 rows a change moves
// 400 KB on average, some tens of microseconds, and a page is a slice of it.
type index struct {
	ids []int32
	key func(id int32) int64
}

func (x *index) compare(key int64, id int32) func(int32, int32) int {
	return func(other, _ int32) int {
		return cmp.Or(cmp.Compare(x.key(other), key), cmp.Compare(other, id))
	}
}

func (x *index) insert(id int32) {
	if n := len(x.ids); n == 0 || x.compare(x.key(id), id)(x.ids[n-1], id) < 0 {
		x.ids = append(x.ids, id)
		return
	}
	at, _ := slices.BinarySearchFunc(x.ids, id, x.compare(x.key(id), id))
	x.ids = slices.Insert(x.ids, at, id)
}

func (x *index) remove(id int32) {
	if at, found := slices.BinarySearchFunc(x.ids, id, x.compare(x.key(id), id)); found {
		x.ids = slices.Delete(x.ids, at, at+1)
	}
}

// from is the place of the first row whose key is at least key.
func (x *index) from(key int64) int {
	at, _ := slices.BinarySearchFunc(x.ids, key, func(id int32, key int64) int { return cmp.Compare(x.key(id), key) })
	return at
}

// late is a version that waits to become visible.
type late struct {
	id int32
	at int64 // nanoseconds since 1970, UTC
}

// store holds all orders. It is not safe for concurrent use.
type store struct {
	rows       []row
	shown      []status // of the visible versions, dense: a filter over a wide window reads this in place of scattered rows
	lastTS     int64
	byModified index // milliseconds
	byShipped  index // seconds; shipped rows only
	byTS       index
	pending    []late // ordered by at
}

func newStore() *store {
	s := &store{lastTS: firstTS}
	s.byModified.key = func(id int32) int64 { return s.rows[id].current().modified }
	s.byShipped.key = func(id int32) int64 { return s.rows[id].current().shipped }
	s.byTS.key = func(id int32) int64 { return s.rows[id].current().ts }
	return s
}

// add makes an order without a version and returns its index.
func (s *store) add(created int64) int32 {
	s.rows = append(s.rows, row{created: created, shown: -1})
	s.shown = append(s.shown, waitConfirm)
	return int32(len(s.rows) - 1) //nolint:gosec // Two thousand million orders do not fit into memory.
}

// write appends a version, which gets the next ts and is not visible yet. A row's modified never goes back.
func (s *store) write(id int32, v version) {
	s.lastTS++
	v.ts = s.lastTS
	r := &s.rows[id]
	if n := len(r.versions); n > 0 {
		v.modified = max(v.modified, r.versions[n-1].modified)
	}
	r.versions = append(r.versions, v)
}

// show makes the newest version of a row the one that queries see.
func (s *store) show(id int32, at time.Time) {
	r := &s.rows[id]
	if r.shown >= 0 {
		s.byModified.remove(id)
		s.byTS.remove(id)
		if r.current().shipped != 0 {
			s.byShipped.remove(id)
		}
	}
	r.shown = int32(len(r.versions) - 1) //nolint:gosec // A row has few versions.
	r.current().visible = at.UnixNano()
	s.shown[id] = r.current().status
	s.byModified.insert(id)
	s.byTS.insert(id)
	if r.current().shipped != 0 {
		s.byShipped.insert(id)
	}
}

// delay has the newest version of a row shown at a later time.
func (s *store) delay(id int32, at time.Time) {
	l := late{id: id, at: at.UnixNano()}
	place, _ := slices.BinarySearchFunc(s.pending, l, func(a, b late) int { return cmp.Or(cmp.Compare(a.at, b.at), -1) })
	s.pending = slices.Insert(s.pending, place, l)
}

// release shows every late version whose time has come.
func (s *store) release(now time.Time) {
	due := 0
	for ; due < len(s.pending) && s.pending[due].at <= now.UnixNano(); due++ {
		s.show(s.pending[due].id, time.Unix(0, s.pending[due].at))
	}
	s.pending = slices.Delete(s.pending, 0, due)
}

// settle shows every late version now.
func (s *store) settle(now time.Time) {
	for _, l := range s.pending {
		s.show(l.id, now)
	}
	s.pending = nil
}
