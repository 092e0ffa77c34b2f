package jushuitan

import "time"

// dispatch lets everybody go whose turn has come, and sets the timer for the next one. The caller holds the lock.
func (g *governor) dispatch() {
	now := g.now()
	g.forget(now)
	for {
		lane, wake := g.next(now)
		if lane == nobody {
			g.wakeAt(wake, now)
			return
		}
		g.send(lane, now)
	}
}

// next is the lane whose turn it is; nobody when none may go before the moment, which is zero when only an answer or a new call changes that.
func (g *governor) next(now time.Time) (Lane, time.Time) {
	next, wake := nobody, time.Time{}
	var late []Lane // those that wait and may not go yet
	for lane := range nobody {
		if len(g.queues[lane]) == 0 {
			continue
		}
		at, ok := g.opens(lane, now)
		if ok && !at.After(now) {
			if next == nobody || g.passes[lane] < g.passes[next] {
				next = lane
			}
			continue
		}
		late = append(late, lane)
		if ok && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	if next != nobody {
		g.virtual = max(g.virtual, g.passes[next])
		g.lend(late)
	}
	return next, wake
}

// lend moves lanes that may not go yet back to the present, all by as much, so that their order stays. Turns saved up would go before
// the live calls of later.
func (g *governor) lend(late []Lane) {
	first := g.virtual
	for _, lane := range late {
		first = min(first, g.passes[lane])
	}
	for _, lane := range late {
		g.passes[lane] += g.virtual - first
	}
}

// opens is the moment from which the lane may send a call; false when that hangs on an answer.
func (g *governor) opens(lane Lane, now time.Time) (time.Time, bool) {
	if g.refusals > 0 && g.ahead > 0 {
		return time.Time{}, false
	}
	perMinute := g.minute.at(now)
	second, ok := g.frees(g.second.at(now), time.Second)
	minute, also := g.frees(perMinute-g.spared(lane, perMinute), time.Minute)
	at := latest(g.rests, second, minute)
	if lane.paced() {
		at = latest(at, g.paced)
	}
	return at, ok && also
}

// frees is the moment from which fewer calls than slots were sent within the span; false when calls that are not answered fill them.
func (g *governor) frees(slots int, span time.Duration) (time.Time, bool) {
	beside := slots - 1 - g.flying // so many answered calls may be left in the span
	switch {
	case beside < 0:
		return time.Time{}, false
	case len(g.past) <= beside:
		return time.Time{}, true
	default:
		return g.past[len(g.past)-1-beside].at.Add(span + margin), true
	}
}

// spared is how many slots of the minute the lane leaves to the two that are urgent while these are idle: one to a token call that
// comes amid a rush of live ones, and a fortieth to a live poll, which then finds its slots free beside a backfill that takes
// all it gets. Whoever waits takes its turn by weight instead, so nothing starves.
func (g *governor) spared(lane Lane, perMinute int) int {
	spared := 0
	if lane != Tokens && len(g.queues[Tokens]) == 0 && perMinute >= 20 {
		spared++
	}
	if lane.paced() && len(g.queues[Live]) == 0 {
		spared += perMinute / 40
	}
	return spared
}

// send hands the lane's first waiter its slots.
func (g *governor) send(lane Lane, now time.Time) {
	t := g.queues[lane][0]
	g.queues[lane] = g.queues[lane][1:]
	g.passes[lane] += lane.stride()
	g.flying++
	g.ahead++
	g.sent[lane]++
	if lane.paced() {
		g.paced = now.Add(time.Minute / time.Duration(g.minute.at(now)))
	}
	t.sent, t.era = now, g.era
	close(t.ready)
}

// forget drops the calls whose slots are free again.
func (g *governor) forget(now time.Time) {
	old := 0
	for old < len(g.past) && now.Sub(g.past[old].at) > time.Minute+margin {
		old++
	}
	g.past = g.past[old:]
}

func (g *governor) wakeAt(at, now time.Time) {
	switch {
	case at.IsZero():
	case g.timer == nil:
		g.timer = time.AfterFunc(at.Sub(now), g.wake)
	default:
		g.timer.Reset(at.Sub(now))
	}
}

func (g *governor) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dispatch()
}

func latest(a time.Time, more ...time.Time) time.Time {
	for _, b := range more {
		if b.After(a) {
			a = b
		}
	}
	return a
}
