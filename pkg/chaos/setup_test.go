package chaos_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"juliu/pkg/chaos"
)

var began = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// draw is a number from 0 to n-1.
type draw func(n int) int

// past makes a history in which nothing went wrong: steps of ten seconds, in each of which orders change and an extractor commits what it
// sees, some of it in two commits.
type past struct {
	chaos.History

	draw     draw
	now      time.Time
	cursor   time.Time
	ts       int64
	sequence uint64
	commit   uint64
	total    uint64
	run      int
	held     map[string]chaos.Row
	// locked are orders with a change that is not visible yet.
	locked map[string]bool
}

// makePast draws a history of so many steps.
func makePast(sink string, steps int, draw draw) chaos.History {
	p := &past{draw: draw, cursor: began, ts: 1 << 31, held: map[string]chaos.Row{}, locked: map[string]bool{}}
	p.Run = chaos.Run{Seed: 7, Sink: sink, Settle: 2, Overlap: 5, Bound: 60, Repeats: 3}
	for i := range steps {
		p.now = began.Add(time.Duration(i) * 10 * time.Second)
		p.change()
		p.read()
	}
	p.now = began.Add(time.Duration(steps) * 10 * time.Second)
	p.read() // what became visible late
	for _, row := range p.held {
		p.Rows = append(p.Rows, row)
	}
	if sink == chaos.Webhook {
		p.Rows = nil
	}
	p.Run.HealedAt, p.Run.QuietAt = p.now.Add(9*time.Second), p.now.Add(30*time.Second)
	p.Output = chaos.Output{Canaries: 2, Files: 3}
	return p.History
}

// change makes new orders and new versions of old ones; one in six shows in the next step only.
func (p *past) change() {
	clear(p.locked)
	for i := range 1 + p.draw(4) {
		key := strconv.Itoa(100_000 + p.draw(6))
		if p.locked[key] {
			continue
		}
		p.ts++
		at := p.now.Add(time.Duration(i+1) * time.Second)
		v := chaos.Version{Key: key, TS: p.ts, Modified: at, Visible: at, SHA256: fmt.Sprintf("%064x", p.ts)}
		if p.draw(6) == 0 {
			v.Visible = p.now.Add(13 * time.Second)
			p.locked[key] = true
		}
		p.Versions = append(p.Versions, v)
	}
}

// read stores every order whose visible version is not stored, and delivers it.
func (p *past) read() {
	newest := map[string]int{}
	for i, v := range p.Versions {
		if !v.Visible.After(p.now.Add(6 * time.Second)) {
			newest[v.Key] = i
		}
	}
	var fresh []int
	for _, i := range newest {
		if !p.Versions[i].Served {
			p.Versions[i].Served = true
			fresh = append(fresh, i)
		}
	}
	slices.SortFunc(fresh, func(a, b int) int {
		return cmp.Or(p.Versions[a].Modified.Compare(p.Versions[b].Modified), cmp.Compare(a, b))
	})
	begin, end := p.cursor, p.now.Add(7*time.Second)
	half := len(fresh) / 2
	p.store(fresh[:half], begin, end)
	p.cursor = end
	p.store(fresh[half:], begin, end)
	if p.draw(4) == 0 {
		p.run, p.commit = p.run+1, 0
	}
}

func (p *past) store(versions []int, begin, end time.Time) {
	stored := p.now.Add(8 * time.Second)
	for _, i := range versions {
		v := p.Versions[i]
		p.sequence++
		r := chaos.Record{Sequence: p.sequence, Stored: stored, Key: v.Key, TS: v.TS, SHA256: v.SHA256}
		p.Records = append(p.Records, r)
		p.deliver(r)
	}
	p.sequence++
	p.commit++
	p.total += uint64(len(versions))
	p.Checkpoints = append(p.Checkpoints, chaos.Checkpoint{
		Sequence: p.sequence, Run: fmt.Sprint("run", p.run), Commit: p.commit, Records: uint64(len(versions)), Total: p.total,
		Start: began, Begin: begin, End: end, Cursor: p.cursor, SentAt: stored,
	})
	p.Floors = append(p.Floors, chaos.Floor{At: stored.Add(time.Second), Acked: p.sequence, Created: began})
}

func (p *past) deliver(r chaos.Record) {
	at := r.Stored.Add(500 * time.Millisecond)
	if p.draw(8) == 0 {
		p.Letters = append(p.Letters, chaos.Letter{ID: uint64(len(p.Letters) + 1), Sequence: r.Sequence, Stored: at})
		return
	}
	if p.Run.Sink == chaos.Webhook {
		p.Requests = append(p.Requests,
			chaos.Request{At: at, Status: 503, Key: r.Key, TS: r.TS, Sequence: r.Sequence},
			chaos.Request{At: at, Status: 200, Key: r.Key, TS: r.TS, Sequence: r.Sequence})
		return
	}
	old := p.held[r.Key]
	p.held[r.Key] = chaos.Row{Key: r.Key, TS: r.TS, Sequence: r.Sequence, SHA256: r.SHA256}
	p.Writes = append(p.Writes, chaos.Write{
		At: at, Key: r.Key, OldTS: old.TS, OldSequence: old.Sequence, TS: r.TS, Sequence: r.Sequence,
	})
}

// offences are those of a report as "I1 lost: order 100000 ts 5".
func offences(r chaos.Report) []string {
	var all []string
	for _, v := range r.Verdicts {
		for _, o := range v.Offences {
			all = append(all, fmt.Sprintf("%s %s: %s", v.Invariant, o.Class, o.ID))
		}
	}
	return all
}

// unproven are the invariants that nothing was found to judge by.
func unproven(r chaos.Report) string {
	var all []string
	for i := range r.Verdicts {
		if r.Verdicts[i].State() == "unproven" {
			all = append(all, r.Verdicts[i].Invariant)
		}
	}
	return strings.Join(all, " ")
}
