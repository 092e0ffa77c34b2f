package chaos

import (
	"fmt"
	"slices"
)

// notEarly is I7: nothing is acknowledged before the sink has it, or the dead letters.
func notEarly(x *index) Verdict {
	verdict := Verdict{Invariant: "I7", Meaning: "nothing is acknowledged before it is written or kept as a dead letter"}
	at := 0
	for _, r := range x.Records {
		for at < len(x.Floors) && x.Floors[at].Acked < r.Sequence {
			at++
		}
		if at == len(x.Floors) {
			break // never seen as acknowledged: I8 tells
		}
		verdict.Judged++
		// What never was settled is I8's.
		if settled, ok := x.settledAt(r); ok && settled.After(x.Floors[at].At) {
			detail := fmt.Sprintf("acknowledged by %v, settled at %v", x.Floors[at].At, settled)
			verdict.offendf(Ahead, detail, "sequence %d order %s", r.Sequence, r.Key)
		}
	}
	return verdict
}

// delivered is I8: at the end nothing is pending, and every record is written or kept.
func delivered(x *index) Verdict {
	verdict := Verdict{Invariant: "I8", Meaning: "in the end every record is written or kept as a dead letter"}
	for _, r := range x.Records {
		verdict.Judged++
		if _, ok := x.settledAt(r); !ok {
			verdict.offendf(Undelivered, "", "sequence %d order %s ts %d", r.Sequence, r.Key, r.TS)
		}
	}
	if x.Run.Pending > 0 || x.Run.Unacked > 0 {
		verdict.offendf(Undelivered, fmt.Sprintf("%d pending, %d not acknowledged", x.Run.Pending, x.Run.Unacked), "consumer")
	}
	return verdict
}

// effective is I9: what the sink holds of an order in the end is its newest record, or of those that are no dead letters the newest.
func effective(x *index) Verdict {
	verdict := Verdict{Invariant: "I9", Meaning: "the sink holds the newest record of every order"}
	held := map[string]Row{}
	for _, row := range x.Rows {
		held[row.Key] = row
	}
	if x.Run.Sink == Webhook {
		held = x.folded()
	}
	stored := map[string][]Record{}
	for _, r := range x.Records {
		if r.Broken == "" {
			stored[r.Key] = append(stored[r.Key], r)
		}
	}
	for key, records := range stored {
		verdict.Judged++
		x.holds(&verdict, key, records, held)
	}
	for key := range held {
		if stored[key] == nil {
			verdict.offendf(Invented, "no record of it is stored", "order %s", key)
		}
	}
	return verdict
}

// holds judges what the sink holds of one order.
func (x *index) holds(verdict *Verdict, key string, records []Record, held map[string]Row) {
	var newest Record
	for _, r := range records {
		if _, isLetter := x.lettered[r.Sequence]; !isLetter && older(newest.TS, newest.Sequence, r.TS, r.Sequence) {
			newest = r
		}
	}
	row, ok := held[key]
	at := slices.IndexFunc(records, func(r Record) bool { return r.Sequence == row.Sequence })
	switch {
	case !ok && newest.Sequence == 0: // all are dead letters
	case !ok:
		verdict.offendf(Stale, "the sink does not have it", "order %s", key)
	case at < 0:
		verdict.offendf(Invented, fmt.Sprintf("no record %d of it is stored", row.Sequence), "order %s", key)
	case row.TS != records[at].TS || row.SHA256 != "" && row.SHA256 != records[at].SHA256:
		verdict.offendf(Altered, fmt.Sprintf("the sink has other bytes than sequence %d", row.Sequence), "order %s", key)
	case older(row.TS, row.Sequence, newest.TS, newest.Sequence):
		verdict.offendf(Stale, fmt.Sprintf("the sink has sequence %d, the newest is %d", row.Sequence, newest.Sequence), "order %s", key)
	}
}

// folded is what a receiver holds that keeps the newest version of each order.
func (x *index) folded() map[string]Row {
	held := map[string]Row{}
	for _, r := range x.Requests {
		if row, ok := held[r.Key]; r.taken() && (!ok || older(row.TS, row.Sequence, r.TS, r.Sequence)) {
			held[r.Key] = Row{Key: r.Key, TS: r.TS, Sequence: r.Sequence}
		}
	}
	return held
}

// noRegression is I10: a row of the table never goes back.
func noRegression(x *index) Verdict {
	verdict := Verdict{Invariant: "I10", Meaning: "no row of the sink goes back"}
	if x.Run.Sink != Postgres {
		verdict.Exempt = "a receiver may see an older version late; that it drops it is its own"
		return verdict
	}
	for _, w := range x.Writes {
		verdict.Judged++
		if older(w.TS, w.Sequence, w.OldTS, w.OldSequence) {
			detail := fmt.Sprintf("ts %d sequence %d after ts %d sequence %d", w.TS, w.Sequence, w.OldTS, w.OldSequence)
			verdict.offendf(Regressed, detail, "order %s", w.Key)
		}
	}
	return verdict
}

// fewRepeats is I11: the sink sees no more repetitions than crashes explain.
func fewRepeats(x *index) Verdict {
	verdict := Verdict{Invariant: "I11", Meaning: "no more writes are repeated than crashes explain"}
	type once struct {
		key      string
		sequence uint64
	}
	seen := map[once]int{}
	for key, deliveries := range x.deliveries {
		for _, d := range deliveries {
			verdict.Judged++
			seen[once{key, d.sequence}]++
		}
	}
	repeated := verdict.Judged - len(seen)
	if repeated <= x.Run.Repeats {
		return verdict
	}
	for o, n := range seen {
		if n > 1 {
			verdict.offendf(Duplicate, fmt.Sprintf("%d writes; %d repetitions in all, allowed %d", n, repeated, x.Run.Repeats),
				"sequence %d order %s", o.sequence, o.key)
		}
	}
	return verdict
}
