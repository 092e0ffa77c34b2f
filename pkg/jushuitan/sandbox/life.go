package sandbox

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// status is where an order is in its life; its text is the vendor's.
type status uint8

const (
	waitConfirm status = iota
	outerConfirming
	confirmed
	cancelled
	deleted
	archived
)

func (s status) String() string {
	switch s {
	case waitConfirm:
		return "WaitConfirm"
	case outerConfirming:
		return "OuterConfirming"
	case confirmed:
		return "Confirmed"
	case cancelled:
		return "Cancelled"
	case deleted:
		return "Delete"
	case archived:
		return "Archive"
	default:
		return ""
	}
}

// statusOf is the status of a text.
func statusOf(text string) (status, bool) {
	for s := waitConfirm; s <= archived; s++ {
		if s.String() == text {
			return s, true
		}
	}
	return 0, false
}

// next is the status that follows, the same one at the end of a life.
func (s status) next(rng *rand.Rand) status {
	chance := rng.Float64()
	switch s {
	case waitConfirm:
		switch {
		case chance < 0.08:
			return deleted
		case chance < 0.18:
			return outerConfirming
		default:
			return confirmed
		}
	case outerConfirming:
		return confirmed
	case confirmed:
		if chance < 0.3 {
			return cancelled
		}
		return archived
	case cancelled, deleted, archived:
		return s
	default:
		return s
	}
}

// pastStatus is the status of an order of the start.
func pastStatus(rng *rand.Rand) status {
	chance := rng.Float64()
	switch {
	case chance < 0.75:
		return confirmed
	case chance < 0.86:
		return waitConfirm
	case chance < 0.89:
		return outerConfirming
	case chance < 0.92:
		return cancelled
	case chance < 0.96:
		return deleted
	default:
		return archived
	}
}

// populate fills the store with the orders of the start: numbered by created, ts and modified growing together.
func (s *Sandbox) populate() {
	now := s.now()
	type past struct{ created, modified int64 }
	orders := make([]past, s.cfg.Orders)
	for i := range orders {
		back := time.Duration(float64(s.cfg.History) * (float64(s.cfg.Orders-i) - s.lifeRand.Float64()) / float64(s.cfg.Orders))
		modified := now.Add(-back)
		orders[i] = past{
			created:  modified.Add(-time.Duration(s.lifeRand.Int64N(int64(48 * time.Hour)))).Unix(),
			modified: modified.UnixMilli(),
		}
	}
	slices.SortFunc(orders, func(a, b past) int { return cmp.Compare(a.created, b.created) })
	ids := make([]int32, len(orders))
	for i, o := range orders {
		ids[i] = s.store.add(o.created)
	}
	slices.SortFunc(ids, func(a, b int32) int {
		return cmp.Or(cmp.Compare(orders[a].modified, orders[b].modified), cmp.Compare(a, b))
	})
	for _, id := range ids {
		v := version{status: pastStatus(s.lifeRand)}
		if hasShipped(v.status) {
			v.shipped = orders[id].modified / 1000
		}
		s.put(id, v, time.UnixMilli(orders[id].modified))
		s.store.show(id, now)
	}
}

func hasShipped(st status) bool { return st == confirmed || st == cancelled || st == archived }

// put writes a version with the modified time and the flaws that belong to its row.
func (s *Sandbox) put(id int32, v version, at time.Time) {
	v.flaws = s.faults.quirks(s.cfg.Seed, firstIOID+int64(id))
	v.modified = at.Unix() * 1000
	if v.flaws.has(quirkMilliseconds) {
		v.modified = at.UnixMilli()
	}
	s.store.write(id, v)
}

// change makes one change of traffic.
func (s *Sandbox) change() {
	now := s.now()
	s.store.release(now)
	kind := s.lifeRand.Float64()
	id, found := s.pick()
	switch {
	case !found || kind < s.traffic.NewShare:
		id = s.store.add(now.Unix())
		s.put(id, version{status: waitConfirm}, now)
	case kind < s.traffic.NewShare+s.traffic.EditShare:
		s.edit(id, now)
	default:
		s.advance(id, now)
	}
	if s.lifeRand.Float64() < s.traffic.LateShare && s.traffic.LateMax > 0 {
		s.store.delay(id, now.Add(time.Duration(1+s.lifeRand.Int64N(int64(s.traffic.LateMax)))))
		return
	}
	s.store.show(id, now)
}

// pick finds a row to change: half the time one of the newest 500, where life is. It gives up when all it meets are locked.
func (s *Sandbox) pick() (int32, bool) {
	const young, tries = 500, 8
	for range tries {
		n := len(s.store.rows)
		if n == 0 {
			return 0, false
		}
		span := n
		if s.lifeRand.IntN(2) == 0 {
			span = min(n, young)
		}
		id := n - 1 - s.lifeRand.IntN(span)
		if !s.store.rows[id].locked() {
			return int32(id), true //nolint:gosec // An index of rows.
		}
	}
	return 0, false
}

// advance moves an order to its next status, or edits it when it has none.
func (s *Sandbox) advance(id int32, now time.Time) {
	v := *s.store.rows[id].newest()
	next := v.status.next(s.lifeRand)
	if next == v.status {
		s.edit(id, now)
		return
	}
	v.status = next
	if next == confirmed {
		v.shipped = now.Unix()
	}
	s.putAfter(id, v, now)
}

// edit changes an order's remark and labels.
func (s *Sandbox) edit(id int32, now time.Time) {
	v := *s.store.rows[id].newest()
	v.edits++
	s.putAfter(id, v, now)
}

func (s *Sandbox) putAfter(id int32, v version, now time.Time) {
	v.served = false
	s.put(id, v, now)
}

// drift changes rows of the queried window at once, or makes plain traffic when it holds none. The window is asked again after each change,
// which may have moved rows in it.
func (s *Sandbox) drift(window func() []int32) {
	now := s.now()
	for range s.traffic.DriftPerCall {
		candidates := window()
		if len(candidates) == 0 {
			s.change()
			continue
		}
		if id := candidates[s.lifeRand.IntN(len(candidates))]; !s.store.rows[id].locked() {
			s.advance(id, now)
			s.store.show(id, now)
		}
	}
}
