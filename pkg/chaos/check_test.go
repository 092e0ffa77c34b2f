package chaos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/chaos"
)

// small is two orders, a second version of one of them, one commit each:
//
//	sequence 1  order 1 ts 11      sequence 2  checkpoint
//	sequence 3  order 2 ts 12      sequence 4  checkpoint
//	sequence 5  order 1 ts 13      sequence 6  checkpoint
func small(sink string) chaos.History {
	p := &past{cursor: began, held: map[string]chaos.Row{}, draw: func(int) int { return 1 }}
	p.Run = chaos.Run{Seed: 7, Sink: sink, Settle: 2, Overlap: 5, Bound: 60}
	for i, key := range []string{"1", "2", "1"} {
		p.now = began.Add(time.Duration(i) * 10 * time.Second)
		at := p.now.Add(time.Second)
		p.Versions = append(p.Versions, chaos.Version{
			Key: key, TS: int64(11 + i), Modified: at, Visible: at, SHA256: fmt.Sprintf("%064x", i), Served: true,
		})
		begin := p.cursor
		p.cursor = p.now.Add(7 * time.Second)
		p.store([]int{i}, begin, p.cursor)
	}
	for _, key := range []string{"1", "2"} {
		if sink == chaos.Postgres {
			p.Rows = append(p.Rows, p.held[key])
		}
	}
	p.Run.HealedAt, p.Run.QuietAt = p.now.Add(9*time.Second), p.now.Add(30*time.Second)
	p.Output = chaos.Output{Canaries: 2, Files: 3}
	return p.History
}

func TestAHistoryWithoutFaultIsHeld(t *testing.T) {
	t.Parallel()
	for _, sink := range []string{chaos.Postgres, chaos.Webhook} {
		if r := chaos.Check(small(sink)); !r.OK || len(offences(r)) > 0 {
			t.Errorf("%s: %v, unproven: %s", sink, offences(r), unproven(r))
		}
	}
}

func TestTheSmallestViolationOfEachInvariantIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sink  string
		spoil func(*chaos.History)
		want  []string
	}{
		"I1: a version that was read and is not stored": {chaos.Postgres, func(h *chaos.History) {
			at := h.Versions[1].Modified.Add(time.Second)
			h.Versions = append(h.Versions, chaos.Version{Key: "3", TS: 14, Modified: at, Visible: at, Served: true})
		}, []string{"I1 lost: order 3 ts 14"}},
		"I1: the same before the cursor has come to it": {chaos.Postgres, func(h *chaos.History) {
			at := h.Checkpoints[2].Cursor.Add(time.Second)
			h.Versions = append(h.Versions, chaos.Version{Key: "3", TS: 14, Modified: at, Visible: at, Served: true})
		}, []string{"I1 unseen: order 3 ts 14"}},
		"I2: a version that nobody read": {chaos.Postgres, func(h *chaos.History) {
			at := h.Versions[1].Modified.Add(time.Second)
			h.Versions = append(h.Versions, chaos.Version{Key: "3", TS: 14, Modified: at, Visible: at})
		}, []string{"I2 lost: order 3 ts 14"}},
		"I1: a version that only an operator put there": {chaos.Webhook, func(h *chaos.History) {
			at := h.Versions[1].Modified.Add(time.Second)
			h.Versions = append(h.Versions, chaos.Version{Key: "3", TS: 14, Modified: at, Visible: at, Served: true, SHA256: "a"})
			h.Records = append(h.Records, chaos.Record{Sequence: 7, Key: "3", TS: 14, SHA256: "a", Copy: true})
			h.Requests = append(h.Requests, chaos.Request{At: at, Status: 200, Key: "3", TS: 14, Sequence: 7})
		}, []string{"I1 lost: order 3 ts 14"}},
		"I3: a cursor that goes back": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[2].Cursor = h.Checkpoints[1].Cursor.Add(-time.Second)
		}, []string{"I3 regressed: checkpoint 6"}},
		"I3: a window that begins after the cursor": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[2].Begin = h.Checkpoints[1].Cursor.Add(time.Second)
		}, []string{"I3 gap: checkpoint 6"}},
		"I3: a window that ends before the cursor": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[2].End = h.Checkpoints[2].Cursor.Add(-time.Second)
		}, []string{"I3 gap: checkpoint 6"}},
		"I3: a first window that begins after the start": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[0].Begin = began.Add(time.Second)
		}, []string{"I3 gap: checkpoint 2"}},
		"I4: a checkpoint that counts one more": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[1].Records++
		}, []string{"I4 ahead: checkpoint 4"}},
		"I4: a total of one more": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[2].Total++
		}, []string{"I4 ahead: checkpoint 6"}},
		"I4: a cursor before its record": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[0].Cursor = h.Versions[1].Modified.Add(time.Second)
			h.Checkpoints[0].End, h.Checkpoints[0].SentAt = h.Checkpoints[0].Cursor, h.Checkpoints[0].Cursor
		}, []string{"I4 ahead: order 2 ts 12"}},
		"I5: a commit of a run that another followed": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints[1].Run = "other"
		}, []string{"I5 unfenced: checkpoint 6"}},
		"I6: an older version after a newer one": {chaos.Webhook, func(h *chaos.History) {
			h.Records[0].TS, h.Records[2].TS = 13, 11
			h.Records[0].SHA256, h.Records[2].SHA256 = h.Records[2].SHA256, h.Records[0].SHA256
			for i := range h.Requests {
				h.Requests[i].TS = h.Records[i/2].TS
			}
		}, []string{"I6 regressed: sequence 5 order 1 ts 11"}},
		"once: a version that stands there twice": {chaos.Webhook, func(h *chaos.History) {
			again := h.Records[2]
			again.Sequence = 7
			h.Records = append(h.Records, again)
			r := h.Requests[5]
			r.Sequence = 7
			h.Requests = append(h.Requests, r)
		}, []string{"once duplicate: sequence 7 order 1 ts 13"}},
		"I7: an acknowledgement before the write": {chaos.Postgres, func(h *chaos.History) {
			h.Writes[1].At = h.Floors[1].At.Add(time.Millisecond)
		}, []string{"I7 ahead: sequence 3 order 2"}},
		"I7: an acknowledgement before the dead letter": {chaos.Postgres, func(h *chaos.History) {
			h.Letters = append(h.Letters, chaos.Letter{ID: 1, Sequence: 3, Stored: h.Floors[1].At.Add(time.Millisecond)})
			h.Writes, h.Rows = slices.Delete(h.Writes, 1, 2), h.Rows[:1]
		}, []string{"I7 ahead: sequence 3 order 2"}},
		"I8: a record that reached nobody": {chaos.Webhook, func(h *chaos.History) {
			h.Requests = slices.Delete(h.Requests, 0, 2)
		}, []string{"I8 undelivered: sequence 1 order 1 ts 11"}},
		"I8: a record that the receiver refused": {chaos.Webhook, func(h *chaos.History) {
			h.Requests[0].Status, h.Requests[1].Status = 500, 500
		}, []string{"I8 undelivered: sequence 1 order 1 ts 11"}},
		"I8: a record of which the table saw an older version alone": {chaos.Postgres, func(h *chaos.History) {
			h.Writes = h.Writes[:2]
		}, []string{"I8 undelivered: sequence 5 order 1 ts 13"}},
		"I8: one left to do": {chaos.Postgres, func(h *chaos.History) {
			h.Run.Unacked = 1
		}, []string{"I8 undelivered: consumer"}},
		"I9: a row of an older version": {chaos.Postgres, func(h *chaos.History) {
			h.Rows[0].TS, h.Rows[0].Sequence, h.Rows[0].SHA256 = 11, 1, h.Records[0].SHA256
		}, []string{"I9 stale: order 1"}},
		"I9: a row that is not there": {chaos.Postgres, func(h *chaos.History) {
			h.Rows = h.Rows[:1]
		}, []string{"I9 stale: order 2"}},
		"I9: a row with other bytes": {chaos.Postgres, func(h *chaos.History) {
			h.Rows[0].SHA256 = "other"
		}, []string{"I9 altered: order 1"}},
		"I9: an event of another version": {chaos.Webhook, func(h *chaos.History) {
			h.Requests[5].TS = 14
		}, []string{"I8 undelivered: sequence 5 order 1 ts 13", "I9 altered: order 1"}},
		"I9: a row of no order": {chaos.Postgres, func(h *chaos.History) {
			h.Rows = append(h.Rows, chaos.Row{Key: "9", TS: 1, Sequence: 1})
		}, []string{"I9 invented: order 9"}},
		"I9: a row of no record": {chaos.Postgres, func(h *chaos.History) {
			h.Rows[0].Sequence = 99
		}, []string{"I9 invented: order 1"}},
		"I10: a row that goes back": {chaos.Postgres, func(h *chaos.History) {
			w := h.Writes[2]
			h.Writes = append(h.Writes, chaos.Write{At: w.At, Key: "1", OldTS: 13, OldSequence: 5, TS: 11, Sequence: 1})
			h.Run.Repeats = 1
		}, []string{"I10 regressed: order 1"}},
		"I11: a write repeated for no reason": {chaos.Webhook, func(h *chaos.History) {
			h.Requests = append(h.Requests, h.Requests[1])
		}, []string{"I11 duplicate: sequence 1 order 1"}},
		"I12: a record of an order that never was": {chaos.Webhook, func(h *chaos.History) {
			h.Records[1].Key = "9"
			h.Requests[2].Key, h.Requests[3].Key = "9", "9"
			h.Versions = slices.Delete(h.Versions, 1, 2)
		}, []string{"I12 invented: sequence 3 order 9 ts 12"}},
		"I12: a record of a version that never stood in an answer": {chaos.Postgres, func(h *chaos.History) {
			h.Versions[1].Served = false
		}, []string{"I12 invented: sequence 3 order 2 ts 12"}},
		"I12: a record with other bytes": {chaos.Webhook, func(h *chaos.History) {
			h.Records[1].SHA256 = "other"
		}, []string{"I12 altered: sequence 3 order 2 ts 12"}},
		"I12: a record that says two things": {chaos.Postgres, func(h *chaos.History) {
			h.Records = append(h.Records, chaos.Record{Sequence: 3, Key: "2", Broken: "why", Copy: true})
		}, []string{"I12 altered: sequence 3 order 2"}},
		"I13: a position that goes back": {chaos.Postgres, func(h *chaos.History) {
			h.Floors[2].Acked = 3
		}, []string{"I13 moved: consumer at look 2"}},
		"I13: a consumer made anew": {chaos.Postgres, func(h *chaos.History) {
			h.Floors[2].Created = h.Floors[2].At
		}, []string{"I13 moved: consumer at look 2"}},
		"I14: a canary in the output": {chaos.Postgres, func(h *chaos.History) {
			h.Output.Hits = []string{"loader-1.log: canary 0"}
		}, []string{"I14 leaked: loader-1.log: canary 0"}},
		"I15: never quiet": {chaos.Postgres, func(h *chaos.History) {
			h.Run.QuietAt = time.Time{}
		}, []string{"I15 stuck: run"}},
		"I15: quiet too late": {chaos.Postgres, func(h *chaos.History) {
			h.Run.QuietAt = h.Run.HealedAt.Add(61 * time.Second)
		}, []string{"I15 stuck: run"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := small(test.sink)
			test.spoil(&h)
			r := chaos.Check(h)
			if diff := cmp.Diff(test.want, offences(r)); diff != "" || r.OK {
				t.Errorf("ok: %t, offences (-want +got):\n%s", r.OK, diff)
			}
		})
	}
}

// What looks like a violation and is none.
func TestWhatIsAllowedIsNotNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sink  string
		allow func(*chaos.History)
	}{
		"a version superseded before anybody could read it": {chaos.Postgres, func(h *chaos.History) {
			at := h.Versions[2].Modified.Add(-time.Second)
			h.Versions = append(h.Versions, chaos.Version{Key: "2", TS: 11, Modified: at, Visible: at})
		}},
		"a version from before the start": {chaos.Postgres, func(h *chaos.History) {
			h.Versions = append(h.Versions, chaos.Version{Key: "3", TS: 9, Modified: began.Add(-time.Hour), Visible: began})
		}},
		"a late version stored after the cursor had passed it": {chaos.Postgres, func(h *chaos.History) {
			h.Versions[2].Visible = h.Checkpoints[1].Cursor.Add(-time.Second)
			h.Versions[2].Modified = h.Versions[2].Visible.Add(-3 * time.Second)
		}},
		"a version that changed while it was read, stored with the next": {chaos.Postgres, func(h *chaos.History) {
			at := h.Checkpoints[1].Cursor.Add(-time.Second)
			h.Versions = append(h.Versions, chaos.Version{Key: "1", TS: 12, Modified: at, Visible: at})
			h.Versions[2].Modified, h.Versions[2].Visible = h.Checkpoints[1].SentAt, h.Checkpoints[1].SentAt
		}},
		"a checkpoint that nobody saw": {chaos.Postgres, func(h *chaos.History) {
			h.Checkpoints = slices.Delete(h.Checkpoints, 1, 2)
			h.Checkpoints[1].Commit, h.Checkpoints[1].Records, h.Checkpoints[1].Begin = 7, 1, h.Checkpoints[1].Begin.Add(time.Second)
			h.Checkpoints[1].Run = "other"
			h.Records[2].Sequence = 5
		}},
		"an older version that the receiver sees late": {chaos.Webhook, func(h *chaos.History) {
			late := h.Requests[1]
			late.At = h.Run.QuietAt
			h.Requests = append(h.Requests, late)
			h.Run.Repeats = 1
		}},
		"a newest record that is a dead letter": {chaos.Postgres, func(h *chaos.History) {
			h.Letters = append(h.Letters, chaos.Letter{ID: 1, Sequence: 5, Stored: h.Records[2].Stored})
			h.Writes = h.Writes[:2]
			h.Rows[0].TS, h.Rows[0].Sequence, h.Rows[0].SHA256 = 11, 1, h.Records[0].SHA256
		}},
		"a record that was put there again": {chaos.Postgres, func(h *chaos.History) {
			again := h.Records[2]
			again.Sequence, again.Copy = 7, true
			h.Records = append(h.Records, again)
			h.Rows[0].Sequence = 7
			h.Writes = append(h.Writes, chaos.Write{At: again.Stored, Key: "1", OldTS: 13, OldSequence: 5, TS: 13, Sequence: 7})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := small(test.sink)
			test.allow(&h)
			if r := chaos.Check(h); !r.OK {
				t.Errorf("%v, unproven: %s", offences(r), unproven(r))
			}
		})
	}
}

func TestWhatNothingWasFoundToJudgeByIsNotHeld(t *testing.T) {
	t.Parallel()
	for want, empty := range map[string]func(*chaos.History){
		"I2 I15":            func(h *chaos.History) { h.Run.QuietAt, h.Run.HealedAt = time.Time{}, time.Time{} },
		"I3 I4 I5":          func(h *chaos.History) { h.Checkpoints = nil },
		"I7 I13":            func(h *chaos.History) { h.Floors = nil },
		"I10 I11":           func(h *chaos.History) { h.Writes = nil },
		"I14":               func(h *chaos.History) { h.Output = chaos.Output{} },
		"I15":               func(h *chaos.History) { h.Run.HealedAt = time.Time{} },
		"I6 I7 I8 I12 once": func(h *chaos.History) { h.Records = nil },
	} {
		h := small(chaos.Postgres)
		empty(&h)
		r := chaos.Check(h)
		if got := unproven(r); r.OK || got != want {
			t.Errorf("unproven: %q, want %q; ok: %t; %v", got, want, r.OK, offences(r))
		}
	}
}
