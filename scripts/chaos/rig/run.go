package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"juliu/pkg/chaos"
	"juliu/pkg/stream/tape"
)

// happening is a fault that struck.
type happening struct {
	Step

	// Struck, Undone are when, and Process is what the victim was.
	Struck  time.Time `json:"struck"`
	Undone  time.Time `json:"undone"`
	Process string    `json:"process"`
	// Before is the last run that had committed, Delivered the last sequence handed to a loader, when it struck.
	Before    string `json:"run_before"`
	Delivered uint64 `json:"delivered"`
}

// driver is one run.
type driver struct {
	o     Options
	now   func() time.Time
	out   io.Writer
	fleet *fleet
	tape  *tape.Tape
	notes *recorder

	began time.Time
	// turns lets a victim have one fault at a time, also when striking or undoing one takes longer than planned.
	turns map[string]*sync.Mutex

	mu   sync.Mutex
	done []happening
	run  chaos.Run
}

// Run carries out a run and leaves its history in a folder. The error is about the run itself; what became of juliu is for chaos.Check.
func Run(ctx context.Context, o Options, out io.Writer, now func() time.Time) (Page, error) {
	if err := o.validate(); err != nil {
		return Page{}, err
	}
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		return Page{}, fmt.Errorf("make the folder of the run: %w; name one that does not exist yet", err)
	}
	f, err := newFleet(ctx, o)
	if err != nil {
		return Page{}, err
	}
	living, end := context.WithCancel(ctx)
	d := &driver{o: o, now: now, out: out, fleet: f, began: now().UTC(), run: chaos.Run{
		Seed: o.Seed, Sink: o.Sink, Settle: settle.Seconds(), Overlap: overlap.Seconds(), Bound: bound.Seconds(),
	}, turns: map[string]*sync.Mutex{}}
	for _, k := range kinds() {
		for _, victim := range k.victims {
			d.turns[victim] = &sync.Mutex{}
		}
	}
	page, err := d.all(living)
	end()
	return page, errors.Join(err, f.close(context.WithoutCancel(ctx)))
}

func (d *driver) all(ctx context.Context) (Page, error) {
	if err := d.fleet.start(ctx); err != nil {
		return Page{}, err
	}
	var err error
	if d.tape, err = tape.Open(d.fleet.url(at(d.fleet.ports[broker]))); err != nil {
		return Page{}, err
	}
	defer d.tape.Close()
	if d.notes, err = newRecorder(d.tape, d.fleet, d.now); err != nil {
		return Page{}, err
	}
	noting, enough := context.WithCancel(ctx)
	d.notes.run(noting)
	d.sayf("started: %d orders, %.0f changes a second, sink %s", d.o.Orders, d.o.Traffic, d.o.Sink)
	err = d.disturb(ctx, Schedule(d.o.Seed, d.o.Faults, d.o.Span))
	if err == nil {
		err = d.calm(ctx)
	}
	if err == nil {
		err = d.listen(ctx) // while they live
	}
	d.fleet.rest()
	d.notes.look(ctx)
	enough()
	err = errors.Join(err, d.notes.close())
	if err != nil {
		return Page{}, err
	}
	return d.judge(ctx)
}

// disturb carries out the schedule and returns when all of it is undone.
func (d *driver) disturb(ctx context.Context, steps []Step) error {
	began := d.now()
	var (
		group sync.WaitGroup
		wrong error
	)
	for _, s := range steps {
		pause(ctx, began.Add(s.At).Sub(d.now()))
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			err := d.carryOut(ctx, s)
			d.mu.Lock()
			defer d.mu.Unlock()
			wrong = errors.Join(wrong, err)
		})
	}
	group.Wait()
	return errors.Join(wrong, ctx.Err())
}

func (d *driver) carryOut(ctx context.Context, s Step) error {
	turn := d.turns[s.Victim]
	turn.Lock()
	defer turn.Unlock()
	h := happening{Step: s, Process: d.fleet.resolve(ctx, s.Victim), Delivered: d.notes.position().Delivered}
	if m, err := d.tape.Last(ctx, recordStream, checkpoint); err == nil {
		c, _ := chaos.ReadCheckpoint(m)
		h.Before = c.Run
	}
	h.Struck = d.now().UTC()
	d.sayf("%v (%s)", s, h.Process)
	undo, err := d.fleet.strike(ctx, s.Kind, h.Process)
	if err != nil {
		return fmt.Errorf("strike %v: %w", s, err)
	}
	pause(ctx, s.For)
	if err := undo(); err != nil {
		return fmt.Errorf("undo %v: %w", s, err)
	}
	h.Undone = d.now().UTC()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, h)
	d.run.Repeats += repeats(s.Victim)
	return nil
}

// repeats is how many writes a fault may have repeated: all that the loaders concerned had in hand.
func repeats(victim string) int {
	switch victim {
	case leader, linkLeader, vendor, linkVendor:
		return 0
	case broker, target, linkSink:
		return len(loaders()) * inHand
	default:
		return inHand
	}
}

// calm ends the traffic and waits until all is read and loaded. That it never is, is for the verdict.
func (d *driver) calm(ctx context.Context) error {
	if err := d.fleet.call(ctx, vendor, http.MethodPost, "/rig/settle", io.Discard); err != nil {
		return err
	}
	d.run.HealedAt = d.now().UTC()
	d.sayf("healed; waiting until all is read and loaded, at most %v", bound)
	err := until(ctx, bound+10*time.Second, "all is read and loaded", func() error { return d.isQuiet(ctx) })
	if ctx.Err() != nil {
		return ctx.Err() //nolint:wrapcheck // nobody waits any more
	}
	if err != nil {
		d.sayf("%v", err)
		return nil
	}
	d.run.QuietAt = d.now().UTC()
	d.sayf("quiet after %.1f s", d.run.QuietAt.Sub(d.run.HealedAt).Seconds())
	return nil
}

// isQuiet tells what is still missing: a cursor and a sweep from after the last change, and everything acknowledged after that.
func (d *driver) isQuiet(ctx context.Context) error {
	m, err := d.tape.Last(ctx, recordStream, checkpoint)
	if err != nil {
		return err
	}
	c, err := chaos.ReadCheckpoint(m)
	if err != nil {
		return err
	}
	p, err := d.tape.Position(ctx, recordStream, consumer, d.now)
	switch {
	case err != nil:
		return err
	case c.Cursor.Before(d.run.HealedAt):
		return fmt.Errorf("the cursor stands at %v", c.Cursor)
	case c.SweptAt.Before(d.run.HealedAt):
		return fmt.Errorf("the last sweep began at %v", c.SweptAt)
	case p.Pending > 0 || p.Unacked > 0:
		return fmt.Errorf("%d records are pending, %d not acknowledged", p.Pending, p.Unacked)
	default:
		return nil
	}
}

// judge copies what is left and has it judged.
func (d *driver) judge(ctx context.Context) (Page, error) {
	p, err := d.tape.Position(ctx, recordStream, consumer, d.now)
	if err != nil {
		return Page{}, err
	}
	d.run.Pending, d.run.Unacked = p.Pending, p.Unacked
	f := d.fleet
	err = errors.Join(
		copyStream(ctx, d.tape, recordStream, f.path(chaos.StreamFile)),
		copyStream(ctx, d.tape, letterStream, f.path(chaos.LettersFile)),
		dump(f.path(chaos.LedgerFile), func(out io.Writer) error { return f.call(ctx, vendor, http.MethodGet, "/rig/ledger", out) }),
		d.dumpSink(ctx),
		dump(f.path(chaos.RunFile), func(out io.Writer) error { return json.NewEncoder(out).Encode(d.run) }),
	)
	if err == nil {
		err = d.hideCanaries()
	}
	if err != nil {
		return Page{}, err
	}
	history, err := chaos.Load(d.o.Dir)
	if err != nil {
		return Page{}, err
	}
	return d.page(ctx, history), nil
}

func (d *driver) dumpSink(ctx context.Context) error {
	if d.fleet.data == nil {
		return nil // the receiver noted its requests itself
	}
	return errors.Join(
		dump(d.fleet.path(chaos.RowsFile), func(out io.Writer) error { return d.fleet.data.dump(ctx, rowsQuery, out) }),
		dump(d.fleet.path(chaos.WritesFile), func(out io.Writer) error { return d.fleet.data.dump(ctx, writesQuery, out) }),
	)
}

func (d *driver) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, "%6.1fs  %s\n", d.now().UTC().Sub(d.began).Seconds(), fmt.Sprintf(format, args...))
}
