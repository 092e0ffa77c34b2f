package jushuitan

import "time"

// Usage is what became of the quota so far.
type Usage struct {
	// LastMinute is how many calls were sent within the last minute.
	LastMinute int
	// Latency is how long the calls answered within the last minute took on average, without their wait; 0 when there were none.
	Latency time.Duration
	// Allowed is how many calls a minute the client now believes to have: Configured, or less since the API refused calls.
	Allowed int
	// Configured is [Config.RatePerMinute].
	Configured int
	// Sent counts the calls sent on each lane since New.
	Sent map[Lane]uint64
	// Refused counts those of them that the API refused for rate.
	Refused uint64
}

// Usage is a snapshot, for metrics and to judge how long a backfill will take. It does not block.
func (c *Client) Usage() Usage {
	g := c.governor
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.forget(now)
	u := Usage{
		LastMinute: g.flying,
		Allowed:    g.minute.at(now),
		Configured: g.minute.top,
		Sent:       make(map[Lane]uint64, lanes),
		Refused:    g.refused,
	}
	for _, a := range g.past {
		if now.Sub(a.sent) < time.Minute {
			u.LastMinute++
		}
		u.Latency += a.at.Sub(a.sent) / time.Duration(len(g.past))
	}
	for i, n := range g.sent {
		u.Sent[Lane(i)] = n
	}
	return u
}
