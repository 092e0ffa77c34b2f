package chaos_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"juliu/pkg/chaos"
)

// mutation spoils one record of a history. must is an offence that has to be named; every other one has to be about the same order, or the
// checkpoint of its commit.
type mutation struct {
	name  string
	spoil func(h *chaos.History, at int) (must string)
}

func mutations() []mutation {
	return []mutation{
		{"drop", func(h *chaos.History, at int) string {
			r := h.Records[at]
			h.Records = slices.Delete(h.Records, at, at+1)
			if isLast(h, r) {
				return fmt.Sprintf("I1 lost: order %s ts %d", r.Key, r.TS)
			}
			return "I4 ahead: " + commitOf(h, r.Sequence)
		}},
		{"duplicate", func(h *chaos.History, at int) string {
			r := h.Records[at]
			r.Sequence = h.Checkpoints[len(h.Checkpoints)-1].Sequence + 1
			h.Records = append(h.Records, r)
			return fmt.Sprintf("once duplicate: sequence %d order %s ts %d", r.Sequence, r.Key, r.TS)
		}},
		{"swap", func(h *chaos.History, at int) string {
			r := &h.Records[at]
			for i := at + 1; i < len(h.Records); i++ {
				if other := &h.Records[i]; other.Key == r.Key {
					r.TS, other.TS, r.SHA256, other.SHA256 = other.TS, r.TS, other.SHA256, r.SHA256
					return fmt.Sprintf("I6 regressed: sequence %d order %s ts %d", other.Sequence, other.Key, other.TS)
				}
			}
			return ""
		}},
		{"alter", func(h *chaos.History, at int) string {
			r := &h.Records[at]
			r.SHA256 = "other"
			return fmt.Sprintf("I12 altered: sequence %d order %s ts %d", r.Sequence, r.Key, r.TS)
		}},
		{"invent", func(h *chaos.History, at int) string {
			r := h.Records[at]
			r.TS += 1 << 40
			r.Sequence = h.Checkpoints[len(h.Checkpoints)-1].Sequence + 1
			h.Records = append(h.Records, r)
			return fmt.Sprintf("I12 invented: sequence %d order %s ts %d", r.Sequence, r.Key, r.TS)
		}},
		{"deliver never", func(h *chaos.History, at int) string {
			r := h.Records[at]
			h.Requests = slices.DeleteFunc(h.Requests, func(q chaos.Request) bool { return q.Sequence == r.Sequence })
			h.Letters = slices.DeleteFunc(h.Letters, func(l chaos.Letter) bool { return l.Sequence == r.Sequence })
			if h.Run.Sink == chaos.Postgres {
				return forget(h, r)
			}
			return fmt.Sprintf("I8 undelivered: sequence %d order %s ts %d", r.Sequence, r.Key, r.TS)
		}},
	}
}

// forget has the table never see a record. Where a newer one overwrites it, nobody can tell.
func forget(h *chaos.History, r chaos.Record) string {
	if !isLast(h, r) {
		return ""
	}
	h.Writes = slices.DeleteFunc(h.Writes, func(w chaos.Write) bool { return w.Sequence == r.Sequence })
	h.Rows = slices.DeleteFunc(h.Rows, func(row chaos.Row) bool { return row.Key == r.Key })
	return "I9 stale: order " + r.Key
}

// isLast reports that no later record of the order is stored.
func isLast(h *chaos.History, r chaos.Record) bool {
	return !slices.ContainsFunc(h.Records, func(o chaos.Record) bool { return o.Key == r.Key && o.Sequence > r.Sequence })
}

// commitOf names the checkpoint of a record's commit.
func commitOf(h *chaos.History, sequence uint64) string {
	at := slices.IndexFunc(h.Checkpoints, func(c chaos.Checkpoint) bool { return c.Sequence > sequence })
	return fmt.Sprintf("checkpoint %d", h.Checkpoints[at].Sequence)
}

func TestOneSpoiledRecordIsNamedAndNothingElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "draw") }
		sink := rapid.SampledFrom([]string{chaos.Postgres, chaos.Webhook}).Draw(t, "sink")
		h := makePast(sink, 1+draw(12), draw)
		if r := chaos.Check(h); len(offences(r)) > 0 {
			t.Fatalf("the good history is not held: %v", offences(r))
		}
		if len(h.Records) == 0 {
			return
		}
		m := rapid.SampledFrom(mutations()).Draw(t, "mutation")
		at := draw(len(h.Records))
		r := h.Records[at]
		must := m.spoil(&h, at)
		if must == "" {
			return
		}
		got := offences(chaos.Check(h))
		if !slices.Contains(got, must) {
			t.Fatalf("%s of sequence %d: %v, want %q among them", m.name, r.Sequence, got, must)
		}
		for _, o := range got {
			own := strings.Contains(o+" ", " order "+r.Key+" ") || m.name == "drop" && strings.HasSuffix(o, commitOf(&h, r.Sequence))
			if !own {
				t.Fatalf("%s of sequence %d of order %s: %q is about another", m.name, r.Sequence, r.Key, o)
			}
		}
	})
}
