package juliu

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"juliu/pkg/jushuitan"
	"juliu/pkg/record"
	"juliu/pkg/stream"
)

// shownLine is a letter with what it holds, as show --output json prints it.
type shownLine struct {
	letterLine

	// Outcome is what requeue would make of it.
	Outcome stream.Outcome `json:"outcome"`
	// Advice says what to do about a letter that cannot be requeued.
	Advice string `json:"advice,omitempty"`
	// Masked is false with --reveal.
	Masked bool `json:"masked"`
	// Order is empty when the letter cannot be read, which Unreadable explains.
	Content    json.RawMessage `json:"content,omitempty"`
	Unreadable string          `json:"unreadable,omitempty"`
	Surprises  []string        `json:"surprises,omitempty"`
	// Raw is the row as received, with --reveal alone; what is not UTF-8 in it is replaced.
	Raw string `json:"raw,omitempty"`
}

func (d letterDesk) show(ctx context.Context, args []string) error {
	letters, err := stream.Letters(ctx, d.conn)
	if err != nil {
		return err
	}
	found, err := named(letters, args)
	if err != nil {
		return err
	}
	l := found[0]
	plan, err := stream.PlanRequeue(ctx, d.conn, found)
	if err != nil {
		return err
	}
	held, err := d.read(ctx, l)
	if err != nil {
		return err
	}
	line := shownLine{letterLine: letterLineOf(l), Outcome: plan.Outcome(l), Masked: !d.flags.reveal}
	line.fill(l, held, d.app.Now())
	if d.json {
		return d.emit(line)
	}
	return d.page(line)
}

// read reads a letter; with --reveal the history knows before.
func (d letterDesk) read(ctx context.Context, l stream.Letter) (stream.Delivery, error) {
	if d.flags.reveal {
		return stream.Reveal(ctx, d.conn, d.who(), l)
	}
	return stream.ReadLetter(ctx, d.conn, l)
}

// fill adds what the letter holds. A row is decoded as far as this program can.
func (s *shownLine) fill(l stream.Letter, held stream.Delivery, now time.Time) {
	if held.Err != nil {
		s.Unreadable = held.Err.Error()
		return
	}
	r := held.Record
	if l.Row {
		var err error
		s.Advice = rowAdvice
		if l.Resource == record.SalesOut().Resource {
			if r, err = record.SalesOut().Decode(l.Source, r.Raw, now); err == nil {
				s.Advice = decodedAdvice(l, r)
			} else {
				s.Unreadable = err.Error()
			}
		}
	}
	if s.Masked {
		r = r.Masked()
	} else {
		s.Raw = strings.ToValidUTF8(string(r.Raw), string(utf8.RuneError))
	}
	s.Surprises = r.Surprises
	if r.Payload == nil {
		return
	}
	var err error
	if s.Content, err = r.PayloadJSON(); err != nil {
		s.Unreadable = err.Error()
	}
}

const rowAdvice = "this row has no identity, so no loader can take it; correct the order in the ERP, which then shows it anew, or upgrade the extractor " +
	"and read its time again with juliu backfill; then drop this letter"

// decodedAdvice is for a row that an older extractor could not read, and this program can.
func decodedAdvice(l stream.Letter, r record.Record) string {
	return fmt.Sprintf("this juliu can read the row: it is order %s, modified %s; upgrade the extractor, read that time again with "+
		"juliu backfill --source %s --from … --to …, then drop this letter", r.Key, jushuitan.At(r.Version.Modified), l.Source)
}

// page prints a letter for people.
func (d letterDesk) page(s shownLine) error {
	var text bytes.Buffer
	add := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-11s%s\n", name, value)
		}
	}
	add("letter", fmt.Sprintf("%d, a %s, attempt %d", s.ID, s.Kind, s.Attempt))
	add("cause", s.Class+": "+s.Reason)
	add("group", s.Group)
	add("given up", at(s.Kept)+after(s))
	add("of", fmt.Sprintf("%s, source %s, shop %s, order %s", s.Resource, s.Source, s.Shop, cmp.Or(s.Order, "unknown")))
	add("version", s.Version)
	if s.Sequence > 0 {
		add("stood at", fmt.Sprintf("%s, sequence %d, stored %s", s.Subject, s.Sequence, at(s.Stored)))
	}
	add("requeue", map[stream.Outcome]string{
		stream.Requeued:   "gives it to the loaders again",
		stream.Superseded: "removes it as superseded: a newer version of the order is stored",
		stream.Finished:   "removes it: an earlier requeue, which was cut off, has given it to the loaders",
		stream.Unloadable: "is not possible",
	}[s.Outcome])
	add("advice", s.Advice)
	add("unreadable", s.Unreadable)
	add("surprises", strings.Join(s.Surprises, ", "))
	if len(s.Content) > 0 {
		text.WriteString("\n")
		if err := json.Indent(&text, s.Content, "", "  "); err != nil {
			return fmt.Errorf("print letter %d: %w", s.ID, err)
		}
		text.WriteString("\n")
	}
	if s.Raw != "" {
		fmt.Fprintf(&text, "\nas received:\n%s\n", s.Raw)
	}
	if s.Masked {
		text.WriteString("\npersonal data is masked; --reveal shows it, and the row as received, and leaves an audit record\n")
	}
	_, err := io.WriteString(d.app.Out, printable(text.String()))
	return err //nolint:wrapcheck // a closed standard output needs no more words
}

func after(s shownLine) string {
	if s.Deliveries == 0 {
		return ""
	}
	return fmt.Sprintf(", by consumer %s, delivery %d", s.Consumer, s.Deliveries)
}

// at is a time of +08:00, said so.
func at(t time.Time) string { return jushuitan.At(t).String() + " +08:00" }
