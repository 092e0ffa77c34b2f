package stream

import (
	"testing"
	"testing/synctest"
)

// Two extractors of one source commit twice each. Every order in which their batches and questions can reach the stream is tried, with
// everything that can become of up to faults of the batches. A process that crashed is started again.
func TestEveryInterleavingOfTwoWritersKeepsThePromises(t *testing.T) {
	t.Parallel()
	faults := 2
	if long() {
		faults = 4
	}
	synctest.Test(t, func(t *testing.T) {
		e := explorer{world: newWorld(t)}
		defer e.world.close()
		cases := 1
		for e.run(faults); e.advance(); e.run(faults) {
			cases++
		}
		t.Logf("%d cases with up to %d faults: %v", cases, faults, e.world.counts)
	})
}

// explorer makes the same choices again and then others, until it has made all.
type explorer struct {
	path  []choice
	depth int

	world  *world
	faults int
	lines  [2]line
}

type choice struct{ picked, of int }

// line is what one of the two extractors still has to do.
type line struct {
	*writer

	commits int
	// resolved: what becomes of the batch that it waits for is chosen. lose: its answer does not come back. die: the process crashes.
	resolved, lose, die bool
	tried               bool
}

func (e *explorer) pick(of int) int {
	if of == 1 {
		return 0
	}
	if e.depth == len(e.path) {
		e.path = append(e.path, choice{of: of})
	}
	picked := e.path[e.depth].picked
	e.depth++
	return picked
}

// advance goes to the next path in the order of an odometer.
func (e *explorer) advance() bool {
	e.depth = 0
	for len(e.path) > 0 {
		last := &e.path[len(e.path)-1]
		if last.picked++; last.picked < last.of {
			return true
		}
		e.path = e.path[:len(e.path)-1]
	}
	return false
}

func (e *explorer) run(faults int) {
	e.faults = faults
	e.world.reset()
	for i := range e.lines {
		e.lines[i] = line{writer: e.world.start(), commits: 2}
	}
	for {
		for i := range e.lines {
			e.prepare(&e.lines[i])
		}
		e.world.sweep()
		var moves []func()
		for i := range e.lines {
			if l := &e.lines[i]; !l.at.idle() {
				moves = append(moves, func() { e.move(l) })
			}
		}
		for i := range e.world.flying {
			moves = append(moves, func() { e.world.land(i) })
		}
		if e.depth == 0 {
			moves = moves[:1] // the writers are alike
		}
		if len(moves) == 0 {
			return
		}
		moves[e.pick(len(moves))]()
	}
}

// What can become of an attempt. The first three reach the stream, in an order that is a choice; the others do not touch it, so they
// happen at once.
const (
	heard = iota
	unheard
	crashedAfter
	vanished
	delayed
	crashedBefore
	crashedDelayed
	fates
)

// prepare does what nobody else can see: it begins the next commit and chooses what becomes of its batch.
func (e *explorer) prepare(l *line) {
	for {
		if l.at.idle() {
			if l.gone || l.closed != nil || l.commits == 0 {
				return
			}
			l.commits--
			l.tried = false
			e.world.commit(l.writer, 1)
		}
		if l.at.batch == nil || l.resolved {
			return
		}
		fate := heard
		if !l.tried && e.faults > 0 {
			fate = e.pick(fates)
		}
		if fate != heard {
			e.faults--
		}
		l.tried, l.resolved = true, true
		e.world.note(l.writer, "will meet fate", fate)
		switch fate {
		case unheard:
			l.lose = true
		case crashedAfter:
			l.die = true
		case vanished:
			e.fault(l, lost)
		case delayed:
			e.fault(l, late)
		case crashedBefore:
			e.restart(l)
		case crashedDelayed:
			_, _ = e.world.batch(l.writer, late)
			e.restart(l)
		}
	}
}

func (e *explorer) fault(l *line, a arrival) {
	l.resolved = false
	_, err := e.world.batch(l.writer, a)
	e.world.reply(l.writer, answer{err: err})
}

func (e *explorer) restart(l *line) {
	e.world.crash(l.writer)
	l.writer = e.world.start()
	l.resolved, l.lose, l.die = false, false, false
}

// move lets what a writer waits for happen.
func (e *explorer) move(l *line) {
	if l.at.batch == nil {
		e.world.note(l.writer, "reads")
		for opening := l.id == ""; ; {
			e.world.reply(l.writer, answer{message: e.world.last(l.at.filter)})
			if !opening || l.at.filter == "" {
				return
			}
		}
	}
	sequence, err := e.world.batch(l.writer, arrives)
	e.world.note(l.writer, "has its batch arrive", err)
	switch {
	case l.die:
		e.restart(l)
	case l.lose:
		l.resolved, l.lose = false, false
		e.world.reply(l.writer, answer{err: errDisconnected})
	default:
		l.resolved = false
		e.world.reply(l.writer, answer{sequence: sequence, err: err})
	}
}
