package juliu

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"juliu/pkg/jushuitan"
	"juliu/pkg/stream"
)

// letterLine is a letter as --output json prints it.
type letterLine struct {
	ID         uint64    `json:"id"`
	Kind       string    `json:"kind"` // record or row
	Group      string    `json:"group"`
	Class      string    `json:"class"`
	Reason     string    `json:"reason"`
	Resource   string    `json:"resource"`
	Source     string    `json:"source"`
	Shop       string    `json:"shop"`
	Order      string    `json:"order,omitempty"`
	Version    string    `json:"version,omitempty"`
	Attempt    int       `json:"attempt"`
	Deliveries int       `json:"deliveries,omitempty"`
	Consumer   string    `json:"consumer,omitempty"`
	Subject    string    `json:"subject,omitempty"`
	Sequence   uint64    `json:"sequence,omitempty"`
	Stored     time.Time `json:"stored,omitzero"`
	Kept       time.Time `json:"kept"`
}

func letterLineOf(l stream.Letter) letterLine {
	return letterLine{
		ID: l.ID, Kind: kindOf(l), Group: groupOf(l), Class: l.Class, Reason: l.Reason, Resource: l.Resource, Source: l.Source, Shop: l.Shop,
		Order: l.Key, Version: l.Version, Attempt: l.Attempt, Deliveries: l.Deliveries, Consumer: l.Consumer, Subject: l.Subject,
		Sequence: l.Sequence, Stored: l.Stored, Kept: l.Kept,
	}
}

func kindOf(l stream.Letter) string {
	if l.Row {
		return "row"
	}
	return "record"
}

// emit writes one object a line.
func (d letterDesk) emit(object any) error {
	if err := json.NewEncoder(d.app.Out).Encode(object); err != nil {
		return fmt.Errorf("print a line: %w", err)
	}
	return nil
}

// table prints rows, whose columns are separated by tabs, below a head, whose are by bars.
func (d letterDesk) table(head string, rows []string) error {
	w := tabwriter.NewWriter(d.app.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.ReplaceAll(head, "|", "\t"))
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, printable(row))
	}
	return w.Flush() //nolint:wrapcheck // a closed standard output needs no more words
}

// chosen are the letters that the flags choose, oldest first.
func (d letterDesk) chosen(ctx context.Context) ([]stream.Letter, error) {
	letters, err := stream.Letters(ctx, d.conn)
	return d.flags.choice.of(letters, d.app.Now()), err
}

// list prints letters, the newest first.
func (d letterDesk) list(ctx context.Context, _ []string) error {
	letters, err := d.chosen(ctx)
	if err != nil {
		return err
	}
	slices.Reverse(letters)
	if n := d.flags.choice.limit; n > 0 {
		letters = letters[:min(n, len(letters))]
	}
	if len(letters) == 0 {
		return d.none()
	}
	var rows []string
	for _, l := range letters {
		if d.json {
			if err := d.emit(letterLineOf(l)); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, fmt.Sprintf("%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s",
			l.ID, l.Class, l.Attempt, l.Resource, l.Source, l.Shop, cmp.Or(l.Key, "-"), jushuitan.At(l.Kept), l.Reason))
	}
	if d.json {
		return nil
	}
	return d.table("ID|CLASS|ATTEMPT|RESOURCE|SOURCE|SHOP|ORDER|GIVEN UP +08:00|REASON", rows)
}

// groupLine is one cause.
type groupLine struct {
	Group  string    `json:"group"`
	Count  int       `json:"count"`
	Rows   int       `json:"rows"` // of Count, those that cannot be requeued
	Class  string    `json:"class"`
	Reason string    `json:"reason"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
}

// groups prints the causes, the most frequent first.
func (d letterDesk) groups(ctx context.Context, _ []string) error {
	letters, err := d.chosen(ctx)
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		return d.none()
	}
	var rows []string
	for _, g := range grouped(letters) {
		if d.json {
			if err := d.emit(g); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s", g.Group, g.Count, g.Class, jushuitan.At(g.First), jushuitan.At(g.Last), g.Reason))
	}
	if d.json {
		return nil
	}
	return d.table("GROUP|LETTERS|CLASS|FIRST +08:00|LAST +08:00|REASON", rows)
}

func grouped(letters []stream.Letter) []groupLine {
	at := map[string]int{}
	var groups []groupLine
	for _, l := range letters {
		name := groupOf(l)
		i, ok := at[name]
		if !ok {
			i, at[name] = len(groups), len(groups)
			groups = append(groups, groupLine{Group: name, Class: l.Class, Reason: cause(l), First: l.Kept, Last: l.Kept})
		}
		g := &groups[i]
		g.Count++
		if l.Row {
			g.Rows++
		}
		if l.Kept.Before(g.First) {
			g.First = l.Kept
		}
		if l.Kept.After(g.Last) {
			g.Last = l.Kept
		}
	}
	slices.SortStableFunc(groups, func(a, b groupLine) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Group, b.Group)) })
	return groups
}

// history prints what was done at the desk, oldest first.
func (d letterDesk) history(ctx context.Context, _ []string) error {
	var rows []string
	err := stream.Acts(ctx, d.conn, func(act stream.Act) error {
		if d.json {
			return d.emit(act)
		}
		row := fmt.Sprintf("%s\t%s\t%s\t%d", jushuitan.At(act.At), act.Who, act.What, len(act.Letters))
		if len(act.Letters) > 0 {
			row += fmt.Sprintf("\t%d\t%s", act.Letters[0].ID, cmp.Or(act.Letters[0].Key, "-"))
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil || d.json {
		return err
	}
	if len(rows) == 0 {
		d.notef("nothing was done here yet")
		return nil
	}
	return d.table("AT +08:00|WHO|WHAT|LETTERS|FIRST ID|ITS ORDER", rows)
}
