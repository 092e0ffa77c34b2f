package juliu

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"strings"

	"juliu/pkg/stream"
)

// settledLine is what became of a letter, or with --dry-run would, as --output json prints it.
type settledLine struct {
	ID       uint64         `json:"id"`
	Resource string         `json:"resource"`
	Source   string         `json:"source"`
	Order    string         `json:"order,omitempty"`
	Outcome  stream.Outcome `json:"outcome"`
	DryRun   bool           `json:"dry_run"`
}

// tally counts outcomes, and prints each where JSON is asked for.
type tally struct {
	desk  letterDesk
	count map[stream.Outcome]int
}

func (d letterDesk) tally() *tally { return &tally{desk: d, count: map[stream.Outcome]int{}} }

func (t *tally) add(l stream.Letter, outcome stream.Outcome) error {
	t.count[outcome]++
	if !t.desk.json {
		return nil
	}
	return t.desk.emit(settledLine{l.ID, l.Resource, l.Source, l.Key, outcome, t.desk.flags.dryRun})
}

// words are the counts for people.
func (t *tally) words() string {
	var parts []string
	for _, o := range []struct {
		outcome stream.Outcome
		words   string
	}{
		{stream.Requeued, "given to the loaders again"},
		{stream.Finished, "removed, because an earlier requeue has given them to the loaders"},
		{stream.Superseded, "superseded by newer versions and removed"},
		{stream.Dropped, "dropped"},
		{stream.Gone, "gone meanwhile"},
		{stream.Unloadable, "without identity and left; 'juliu dlq show ID' says what to do"},
	} {
		if n := t.count[o.outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o.words))
		}
	}
	return strings.Join(parts, ", ")
}

// meant are the letters that a command line of requeue or drop means.
func (d letterDesk) meant(ctx context.Context, args []string) ([]stream.Letter, error) {
	if len(args) == 0 {
		return d.chosen(ctx)
	}
	letters, err := stream.Letters(ctx, d.conn)
	if err != nil {
		return nil, err
	}
	return named(letters, args)
}

func (d letterDesk) requeue(ctx context.Context, args []string) error {
	letters, err := d.meant(ctx, args)
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		return d.none()
	}
	plan, err := stream.PlanRequeue(ctx, d.conn, letters)
	if err != nil {
		return err
	}
	planned := d.tally()
	planned.desk.json = d.json && d.flags.dryRun
	for _, l := range letters {
		if err := planned.add(l, plan.Outcome(l)); err != nil {
			return err
		}
	}
	d.notef("plan: %s", planned.words())
	switch {
	case planned.count[stream.Unloadable] == len(letters):
		return errNothingDone
	case d.flags.dryRun:
		d.notef("a dry run: nothing was done")
		return nil
	}
	if err := d.agree(ctx, "Requeue?"); err != nil {
		return err
	}
	done := d.tally()
	if err := plan.Run(ctx, d.who(), letters, done.add); err != nil {
		return fmt.Errorf("%w; %s so far; run it again, nothing is done twice", err, cmp.Or(done.words(), "nothing done"))
	}
	d.notef("done: %s", done.words())
	return nil
}

func (d letterDesk) drop(ctx context.Context, args []string) error {
	letters, err := d.meant(ctx, args)
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		return d.none()
	}
	done := d.tally()
	if d.flags.dryRun {
		for _, l := range letters {
			if err := done.add(l, stream.Dropped); err != nil {
				return err
			}
		}
		d.notef("a dry run: %d dead letters would be dropped; nothing was done", len(letters))
		return nil
	}
	for _, g := range grouped(letters) {
		d.notef("%d of %s: %s", g.Count, g.Class, g.Reason)
	}
	if err := d.agree(ctx, fmt.Sprintf("Drop %d dead letters for good?", len(letters))); err != nil {
		return err
	}
	if err := stream.Drop(ctx, d.conn, d.who(), letters, done.add); err != nil {
		return fmt.Errorf("%w; %s so far; run it again", err, cmp.Or(done.words(), "nothing done"))
	}
	d.notef("done: %s", done.words())
	return nil
}

// agree asks, unless --yes says it already.
func (d letterDesk) agree(ctx context.Context, question string) error {
	if d.flags.yes {
		return nil
	}
	return d.app.ask(ctx, d.notes, question)
}

// who is who acts: --by, else the user of this process and its machine.
func (d letterDesk) who() string {
	if d.flags.who != "" {
		return d.flags.who
	}
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
