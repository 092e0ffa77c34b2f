package jushuitan

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// margin is added to both spans, for a server that counts both ends of a span and for clocks that run at slightly different speeds.
const margin = 20 * time.Millisecond

// governor lets calls wait for their turn, so that they keep within the API's quota.
//
// It is exact without knowing how the server counts: the server counts a call at some moment between sending and answer, so a call's slot
// of the second and of the minute is taken before it is sent and given back a whole span after its answer. Thus no span of the server's
// clock, fixed or sliding, holds more calls than slots, however long a request travels.
//
// Whose turn it is: of the lanes that wait and may go, the one that stands first in virtual time, ties to the more urgent, which each call moves back by its
// lane's stride. A lane that is idle, or may not go yet, lends its turn and saves up none.
//
// A refusal for rate makes all lanes rest and lowers the level of its span (level.go). After the rest one call goes ahead of the
// others, which follow when it is answered.
type governor struct {
	now func() time.Time

	mu             sync.Mutex // guards everything below
	second, minute level
	queues         [lanes][]*ticket
	passes         [lanes]uint64 // each lane's place in virtual time
	virtual        uint64        // the place of the call sent last
	flying         int           // calls sent and not yet answered
	past           []answered    // the last minute's, in the order of their answers
	paced          time.Time     // when a paced lane may go next
	timer          *time.Timer   // nil until somebody had to wait

	rests    time.Time // when the rest after a refusal ends
	refusals int       // how many came in a row
	blamed   *level    // what the last of them lowered
	era      int       // how many rests there were: what a call sent in an earlier era meets says nothing new
	ahead    int       // calls of this era that are flying

	sent    [lanes]uint64
	refused uint64
}

// ticket is one call, from its wait to its answer.
type ticket struct {
	lane  Lane
	ready chan struct{} // closed when the call has its slots and may be sent
	sent  time.Time
	era   int
}

// answered is a call whose slots may still be taken.
type answered struct{ sent, at time.Time }

func newGovernor(perSecond, perMinute int, now func() time.Time) *governor {
	return &governor{now: now, second: newLevel(time.Second, perSecond), minute: newLevel(time.Minute, perMinute)}
}

// take blocks until a call may be sent on ctx's lane, or ctx ends. After a nil error the caller sends one call and then calls give or
// refuse, or calls drop.
func (g *governor) take(ctx context.Context) (*ticket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err //nolint:wrapcheck // wrapped with its endpoint by the caller.
	}
	t := &ticket{lane: laneOf(ctx), ready: make(chan struct{})}
	g.mu.Lock()
	if len(g.queues[t.lane]) == 0 {
		g.passes[t.lane] = max(g.passes[t.lane], g.virtual)
	}
	g.queues[t.lane] = append(g.queues[t.lane], t)
	g.dispatch()
	g.mu.Unlock()
	select {
	case <-t.ready:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		g.drop(t)
		return nil, err //nolint:wrapcheck // wrapped with its endpoint by the caller.
	}
	return t, nil
}

// drop gives back a ticket whose call is not sent.
func (g *governor) drop(t *ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queues[t.lane], t); i >= 0 {
		g.queues[t.lane] = slices.Delete(g.queues[t.lane], i, i+1)
	} else {
		g.land(t)
		g.sent[t.lane]--
		if t.lane.paced() {
			g.paced = time.Time{}
		}
	}
	g.dispatch()
}

// give ends a call that was not refused for rate; taken says that it succeeded.
func (g *governor) give(t *ticket, taken bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.land(t)
	g.past = append(g.past, answered{sent: t.sent, at: now})
	if taken && t.era == g.era && g.refusals > 0 {
		if g.refusals > 1 {
			g.blamed.resumed(g.count(g.blamed, now), now)
		}
		g.refusals = 0
	}
	g.dispatch()
}

// refuse ends a call that was refused for rate, by the limit of the kind. hint is how long the server asked to be left alone; 0 when unsaid.
func (g *governor) refuse(t *ticket, kind Kind, hint time.Duration) {
	limit, rest := &g.minute, restOfMinute
	if kind == RateLimitedSecond {
		limit, rest = &g.second, restOfSecond
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.land(t)
	g.refused++
	if t.era == g.era {
		g.blamed = limit
		limit.refused(g.count(limit, now), now)
		hint = min(cmp.Or(hint, min(rest<<min(g.refusals, 10), longestRest)), longestHint)
		g.refusals++
		g.era++
		g.ahead = 0
	}
	if until := now.Add(hint); until.After(g.rests) {
		g.rests = until
	}
	g.past = append(g.past, answered{sent: t.sent, at: now})
	g.dispatch()
}

// count is how many calls the server met within the span before now, give or take those at its edges. It may count refused calls or not;
// there are few, and one too many only costs another refusal.
func (g *governor) count(l *level, now time.Time) int {
	n := 0
	for _, a := range g.past {
		if now.Sub(a.sent) < l.span {
			n++
		}
	}
	return n
}

func (g *governor) land(t *ticket) {
	g.flying--
	if t.era == g.era {
		g.ahead--
	}
}
