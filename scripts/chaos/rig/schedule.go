package rig

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// maxAtOnce is how many faults last at the same time.
const maxAtOnce = 3

const (
	tokenDeath = "token death"
	// tokenRest is from the first refresh, at the start, until the extractor refreshes a token again: before that it waits.
	tokenRest = 65 * time.Second
)

// kind is a way in which a run is disturbed.
type kind struct {
	name string
	// victims are what it may strike. A victim has one fault at a time.
	victims []string
	// least and most bound how long it lasts.
	least, most time.Duration
	// weight is how often it is drawn, compared with the others.
	weight int
}

// Victims of faults. The leader is the extractor that holds the lease when the fault strikes.
const (
	leader = "leader"
	broker = "nats"
	target = "sink"
	vendor = "erp"
	// A link is the way from a process to what it talks to, which can fail while both live.
	linkLeader, linkVendor, linkSink = "link of leader", "link of erp", "link of sink"
)

func loaders() []string { return []string{"loader-1", "loader-2", "loader-3"} }

func linksOfLoaders() []string {
	return []string{"link of loader-1", "link of loader-2", "link of loader-3"}
}

// kinds is every fault that a run draws from. A lease lives six seconds and a delivery thirty: what is frozen is frozen for longer.
func kinds() []kind {
	const s = time.Second
	return []kind{
		{"kill extractor", []string{leader}, s / 5, 3 * s, 4},
		{"stop extractor", []string{leader}, s / 5, 2 * s, 2},
		{"freeze extractor", []string{leader}, 7 * s, 10 * s, 3},
		{"kill loader", loaders(), s / 5, 3 * s, 4},
		{"stop loader", loaders(), s / 5, 2 * s, 2},
		{"freeze loader", loaders(), 31 * s, 35 * s, 1},
		{"kill nats", []string{broker}, s / 5, 3 * s, 3},
		{"stop nats", []string{broker}, s / 5, 2 * s, 2},
		{"freeze nats", []string{broker}, 7 * s, 10 * s, 1},
		{"kill sink", []string{target}, s, 5 * s, 3},
		{"freeze sink", []string{target}, 3 * s, 8 * s, 2},
		{"poison", []string{target}, 3 * s, 8 * s, 2},
		{"freeze erp", []string{vendor}, 3 * s, 8 * s, 1},
		{"errors of erp", []string{vendor}, 4 * s, 10 * s, 2},
		{tokenDeath, []string{vendor}, s, s, 1},
		{"quota halved", []string{vendor}, 4 * s, 12 * s, 1},
		{"cut", []string{linkLeader, linkVendor, linkSink}, 2 * s, 8 * s, 3},
		{"cut", linksOfLoaders(), 2 * s, 8 * s, 2},
		{"partition", []string{linkLeader, linkVendor, linkSink}, 3 * s, 9 * s, 3},
		{"partition", linksOfLoaders(), 3 * s, 9 * s, 2},
		{"deaf", slices.Concat([]string{linkLeader}, linksOfLoaders()), 3 * s, 9 * s, 3},
		{"mute", linksOfLoaders(), 3 * s, 9 * s, 2},
		// Its last commit is held for so long that another has its place, and then arrives.
		{"mute", []string{linkLeader}, 10 * s, 14 * s, 3},
		{"slow", slices.Concat([]string{linkLeader, linkVendor, linkSink}, linksOfLoaders()), 4 * s, 12 * s, 2},
	}
}

// Step is one fault of a run.
type Step struct {
	// At is when it strikes, from the beginning, and For how long it lasts.
	At     time.Duration `json:"at"`
	For    time.Duration `json:"for"`
	Kind   string        `json:"kind"`
	Victim string        `json:"victim"`
}

// String is the step in one line.
func (s Step) String() string {
	return fmt.Sprintf("%6.1fs %-17s %-17s for %.1fs", s.At.Seconds(), s.Kind, s.Victim, s.For.Seconds())
}

// Schedule draws n faults over a span. The same seed gives the same schedule. Each kind comes at least once if there is room; what would be
// one too many at the same time, or strike a victim that already has one, comes later.
func Schedule(seed uint64, n int, span time.Duration) []Step {
	rng := rand.New(rand.NewPCG(seed, 6)) //nolint:gosec // Repeatable on purpose.
	all := kinds()
	var bag []kind
	for _, k := range all {
		bag = append(bag, slices.Repeat([]kind{k}, k.weight)...)
	}
	drawn := slices.Clone(all)
	for len(drawn) < n {
		drawn = append(drawn, bag[rng.IntN(len(bag))])
	}
	rng.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	steps := make([]Step, 0, n)
	for _, k := range drawn[:n] {
		s := Step{At: time.Duration(rng.Int64N(int64(span))).Round(time.Millisecond), Kind: k.name, Victim: k.victims[rng.IntN(len(k.victims))]}
		s.For = (k.least + time.Duration(rng.Int64N(int64(k.most-k.least)+1))).Round(time.Millisecond)
		if k.name == tokenDeath {
			s.At = max(s.At, tokenRest)
		}
		steps = append(steps, s)
	}
	byTime(steps)
	part(steps)
	byTime(steps)
	return steps
}

func byTime(steps []Step) {
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
}

// part delays what would be too much.
func part(steps []Step) {
	busy := map[string]time.Duration{}
	var ends []time.Duration
	for i := range steps {
		s := &steps[i]
		s.At = max(s.At, busy[s.Victim])
		if i >= maxAtOnce { // the one before the last three has to be over
			slices.Sort(ends)
			s.At = max(s.At, ends[len(ends)-maxAtOnce])
		}
		busy[s.Victim] = s.At + s.For + time.Second
		ends = append(ends, s.At+s.For)
	}
}
