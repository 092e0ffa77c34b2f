package audit

import (
	"context"
	"time"

	"juliu/pkg/record"
)

// Period is the orders that an audit of a sink is about.
type Period struct {
	Resource, Source string
	// Shop is one shop; "" is all.
	Shop string
	// From and To bound the modification time, To excluded.
	From, To time.Time
}

// Table is a sink whose rows can be read back. A sink opts in to audits by it.
type Table interface {
	// Rows hands over every row of a period, by its modification time. A row whose bytes or columns contradict its content hash is Broken.
	Rows(ctx context.Context, p Period, fn func(Row) error) error
	// Find hands over the rows of keys, whenever they were modified.
	Find(ctx context.Context, resource, source string, keys []string, fn func(Row) error) error
	// Replace stores records in the place of rows, whatever version those claim to have, and returns the keys that it stored. A row that was
	// written since it was read is left as it is, and one whose record the sink rejects.
	Replace(ctx context.Context, fixes []Fix) ([]string, error)
}

// Row is one row of a Table.
type Row struct {
	Entry

	// Written tells one writing of the row from another; "" is no row.
	Written string
}

// Fix is a record to be stored in the place of a row, Written as it was read, "" where there was none.
type Fix struct {
	Record  record.Record
	Written string
}

// Sides are what is compared: what the stream holds, and a sink's rows.
type Sides struct {
	Period Period
	// Name is the sink's.
	Name string
	// Stream is the newest version of each key, also of those beyond the period.
	Stream map[string]Entry
	// Rows are the sink's rows of the period, and those that Find gave for what they lack.
	Rows map[string]Row
	// Loaded is the sequence up to which the loaders have written everything.
	Loaded uint64
	// Explained are keys of which the stream itself is known to lack the newest version.
	Explained map[string]bool
}

// Lacking are the keys of the period that no row of it is of.
func (s Sides) Lacking() []string {
	var keys []string
	for key, want := range s.Stream {
		if _, ok := s.Rows[key]; !ok && s.Period.has(want) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (p Period) has(e Entry) bool {
	return !e.Version.Modified.Before(p.From) && e.Version.Modified.Before(p.To)
}

// Compare names what is wrong with the sink. What the loaders have yet to write is only counted.
func (s Sides) Compare() ([]Difference, Holding) {
	want, stored := map[string]Entry{}, map[string]Entry{}
	h := Holding{Name: s.Name}
	for key, e := range s.Stream {
		if s.Period.has(e) {
			want[key] = e
			h.Stream++
		}
	}
	for key, row := range s.Rows {
		stored[key] = row.Entry
		if s.Period.has(row.Entry) {
			h.Rows++
		}
		if e, ok := s.Stream[key]; ok {
			want[key] = e // modified again on the stream: the row is stale
		}
	}
	var all []Difference
	for _, d := range Compare(s.Name, want, stored) {
		switch {
		case s.Explained[d.Key] && d.Kind == Extra:
		case d.Kind != Extra && want[d.Key].Sequence > s.Loaded:
			h.Pending++
		default:
			all = append(all, d)
		}
	}
	return all, h
}
