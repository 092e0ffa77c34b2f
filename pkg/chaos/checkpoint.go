package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// gapless is I3: the cursor never goes back, and where it goes on, the window that it goes on by begins where it stood.
func gapless(x *index) Verdict {
	verdict := Verdict{Invariant: "I3", Meaning: "the cursor never goes back and leaves no time unread"}
	for i, c := range x.Checkpoints {
		verdict.Judged++
		if i == 0 {
			if !c.Begin.IsZero() && c.Total == c.Records && c.Begin.After(c.Start) && c.Cursor.Equal(c.End) {
				verdict.offendf(Gap, "the first window begins after the start", "checkpoint %d", c.Sequence)
			}
			continue
		}
		before := x.Checkpoints[i-1]
		switch {
		case c.Cursor.Before(before.Cursor):
			verdict.offendf(Regressed, fmt.Sprintf("cursor %v after %v", c.Cursor, before.Cursor), "checkpoint %d", c.Sequence)
		// A checkpoint in between may have been replaced before anybody saw it. Then its window is not known.
		case c.Cursor.After(before.Cursor) && follows(c, before) && (c.Begin.After(before.Cursor) || c.End.Before(c.Cursor)):
			verdict.offendf(Gap, fmt.Sprintf("window [%v, %v) after cursor %v", c.Begin, c.End, before.Cursor), "checkpoint %d", c.Sequence)
		}
	}
	return verdict
}

// follows reports that no checkpoint stood between two: those of one run are numbered.
func follows(c, before Checkpoint) bool {
	return c.Run == before.Run && c.Commit == before.Commit+1 || c.Sequence == before.Sequence+c.Records+1
}

// notAhead is I4: a checkpoint never says more than is stored before it.
func notAhead(x *index) Verdict {
	verdict := Verdict{Invariant: "I4", Meaning: "no checkpoint is ahead of what is stored before it"}
	x.countAhead(&verdict)
	x.cursorAhead(&verdict)
	return verdict
}

// countAhead compares the counts of each checkpoint with the records before it. A record that is missing puts every later total wrong; the
// checkpoint is named at which the difference appears.
func (x *index) countAhead(verdict *Verdict) {
	var sequences []uint64
	for _, r := range x.Records {
		if !r.Copy {
			sequences = append(sequences, r.Sequence)
		}
	}
	wrong := 0
	for _, c := range x.Checkpoints {
		verdict.Judged++
		before, _ := slices.BinarySearch(sequences, c.Sequence)
		first, _ := slices.BinarySearch(sequences, c.Sequence-min(c.Sequence, c.Records))
		difference := int(c.Total) - before //nolint:gosec // a count of records
		//nolint:gosec // a count of records
		if own := before - first; own != int(c.Records) || difference != wrong {
			detail := fmt.Sprintf("it counts %d records and %d in all; %d and %d are there", c.Records, c.Total, own, before)
			verdict.offendf(Ahead, detail, "checkpoint %d", c.Sequence)
		}
		wrong = difference
	}
}

// cursorAhead looks for versions that the cursor had passed and that were not stored by then. It holds for those that were seen within
// settle of their modification, and stood unchanged until the commit; any other may rightly come with a later one.
func (x *index) cursorAhead(verdict *Verdict) {
	for _, v := range x.Versions {
		if v.Modified.Before(x.last.Start) || v.Visible.Sub(v.Modified) > seconds(x.Run.Settle) {
			continue
		}
		due := later(v.Modified, v.Visible)
		at, _ := slices.BinarySearchFunc(x.Checkpoints, due, func(c Checkpoint, due time.Time) int {
			if c.Cursor.After(due) {
				return 1
			}
			return -1
		})
		if at == len(x.Checkpoints) {
			continue
		}
		c := x.Checkpoints[at]
		if next := x.next(v); !next.IsZero() && !next.After(c.SentAt) {
			continue
		}
		verdict.Judged++
		// What was never stored is I1's or I2's; here it is told what was stored too late.
		if sequence, ok := x.storedAt(v); ok && sequence > c.Sequence {
			detail := fmt.Sprintf("checkpoint %d had passed it; it is stored as sequence %d", c.Sequence, sequence)
			verdict.offendf(Ahead, detail, "order %s ts %d", v.Key, v.TS)
		}
	}
}

// fenced is I5: once another process has committed, the one before it never does again.
func fenced(x *index) Verdict {
	verdict := Verdict{Invariant: "I5", Meaning: "no commit of a process whose place another had taken"}
	ended := map[string]bool{}
	for i, c := range x.Checkpoints {
		verdict.Judged++
		if i > 0 && c.Run != x.Checkpoints[i-1].Run {
			ended[x.Checkpoints[i-1].Run] = true
		}
		if ended[c.Run] {
			verdict.offendf(Unfenced, "", "checkpoint %d", c.Sequence)
		}
	}
	return verdict
}

func compare[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }
