package sandbox

import (
	"math"
	"slices"
)

// candidates are the visible rows among which a query's answer lies, in the order of the answer: by ts with start_ts, else by the
// time asked for, else by number. The slice may be the index itself: it must not outlive the next change.
func (s *Sandbox) candidates(q *query) []int32 {
	switch {
	case q.startTS >= 0:
		x := &s.store.byTS
		after := q.startTS
		if !s.cfg.InclusiveStart && after < math.MaxInt64 {
			after++
		}
		return x.ids[x.from(after):]
	case !q.begin.IsZero():
		x, unit := &s.store.byModified, int64(1000)
		if q.byShipped {
			x, unit = &s.store.byShipped, 1
		}
		low, high := q.edges(s.cfg.Edges, unit)
		from, to := x.from(low), x.from(high)
		return x.ids[from:max(from, to)]
	default:
		return s.named(q)
	}
}

// edges are the window as keys of an index, the second one past the end.
func (q *query) edges(e Edges, unit int64) (int64, int64) {
	low, high := q.begin.Unix()*unit, q.end.Unix()*unit
	if e == ExclusiveEdges {
		low++
	}
	if e == InclusiveEdges {
		high++
	}
	return low, high
}

// named finds rows by their numbers, without a scan.
func (s *Sandbox) named(q *query) []int32 {
	numbers := slices.Clone(q.ioIDs)
	for _, oID := range q.oIDs {
		numbers = append(numbers, byOID(oID)...)
	}
	for _, soID := range q.soIDs {
		numbers = append(numbers, bySOID(soID)...)
	}
	for _, lID := range q.lIDs {
		numbers = append(numbers, byLID(lID)...)
	}
	slices.Sort(numbers)
	var ids []int32
	for _, n := range slices.Compact(numbers) {
		if at := n - firstIOID; at >= 0 && at < int64(len(s.store.rows)) && s.store.rows[at].shown >= 0 {
			ids = append(ids, int32(at)) //nolint:gosec // An index of rows.
		}
	}
	return ids
}

// plain reports a query that takes every candidate of its window.
func (s *Sandbox) plain(q *query) bool {
	return q.statusText == "" && !q.archive && !s.cfg.HideArchived && q.shop < 0 && !q.offline && q.warehouse < 0 && q.owner < 0 &&
		q.dealer == 0 && !q.hasIDs() && len(q.waveIDs) == 0 && (q.startTS < 0 || q.begin.IsZero())
}

// matches is everything of a query but what candidates has settled already.
func (s *Sandbox) matches(q *query, id int32) bool {
	st := s.store.shown[id]
	ioID := firstIOID + int64(id)
	c := &s.catalogue
	switch {
	case q.statusText != "" && st != q.status,
		q.archive && st != archived,
		!q.archive && s.cfg.HideArchived && st == archived,
		q.shop > 0 && c.shop(ioID) != q.shop,
		q.offline && q.shop <= 0 && c.shop(ioID) != 0,
		q.warehouse >= 0 && c.warehouse(ioID) != q.warehouse,
		q.owner >= 0 && q.owner != companyID,
		q.dealer != 0 && c.dealer(ioID) != q.dealer,
		!q.begin.IsZero() && q.startTS >= 0 && !s.inWindow(q, s.store.rows[id].current()):
		return false
	}
	return s.isNamed(q, ioID, hasShipped(st))
}

func (s *Sandbox) inWindow(q *query, v *version) bool {
	key, unit := v.modified, int64(1000)
	if q.byShipped {
		key, unit = v.shipped, 1
	}
	low, high := q.edges(s.cfg.Edges, unit)
	return key >= low && key < high
}

// isNamed reports that a row is on every list of numbers that the query has.
func (s *Sandbox) isNamed(q *query, ioID int64, shipped bool) bool {
	c := &s.catalogue
	return lists(q.ioIDs, ioID) && lists(q.oIDs, c.oID(ioID)) &&
		(len(q.soIDs) == 0 || lists(q.soIDs, c.soID(ioID))) &&
		(len(q.lIDs) == 0 || shipped && lists(q.lIDs, c.lID(ioID))) &&
		(len(q.waveIDs) == 0 || shipped && lists(q.waveIDs, c.wave(ioID)))
}

func lists[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// search answers a query from what is visible now.
func (s *Sandbox) search(q *query) answer {
	a := answer{total: -1, index: q.pageIndex, size: q.pageSize}
	ids := s.candidates(q)
	if !s.plain(q) {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return !s.matches(q, id) })
	}
	total := int64(len(ids))
	begin := total
	if q.pageIndex-1 < total/q.pageSize+1 { // Else the product might overflow.
		begin = min(total, (q.pageIndex-1)*q.pageSize)
	}
	end := min(total, begin+min(q.pageSize, total))
	a.hasNext = end < total
	if q.totals {
		a.total = total
	}
	for _, id := range ids[begin:end] {
		r := &s.store.rows[id]
		a.rows = append(a.rows, found{id: id, created: r.created, version: *r.current()})
	}
	return a
}
