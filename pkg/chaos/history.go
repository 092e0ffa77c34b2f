// Package chaos judges what a run under faults left behind: it compares what the ERP showed with what the stream, the dead letters and the
// sink hold, and says which of the fifteen invariants were broken, by what.
//
// It decides from plain files alone and shares no code with what it judges, but for the schema of proto/. A history is a folder:
//
//	run.json            Run: what was run, and when it was healed and quiet
//	ledger.jsonl        Version: every version that a query could see
//	stream.jsonl        Message: the stream as it stands at the end, in order
//	checkpoints.jsonl   Message: checkpoints as they passed; the stream keeps the last alone
//	letters.jsonl       Message: the dead letters
//	floors.jsonl        Floor: how far the loaders had acknowledged, looked at again and again
//	rows.jsonl          Row: the sink's table at the end; postgres alone
//	writes.jsonl        Write: what a trigger noted of each change of that table; postgres alone
//	requests.jsonl      Request: what the receiver answered; webhook alone
//	output/             what the processes said, searched for canaries
package chaos

import "time"

// The sinks that a history may be of.
const (
	Postgres = "postgres"
	Webhook  = "webhook"
)

// History is everything that a verdict is made of.
type History struct {
	Run         Run
	Versions    []Version
	Records     []Record
	Checkpoints []Checkpoint
	Letters     []Letter
	Floors      []Floor
	Rows        []Row
	Writes      []Write
	Requests    []Request
	Output      Output
}

// Run is what the driver knows of a run. Times are UTC.
type Run struct {
	Seed uint64 `json:"seed"`
	// Sink is Postgres or Webhook.
	Sink string `json:"sink"`
	// Settle and Overlap are the extractor's, in seconds.
	Settle  float64 `json:"settle_seconds"`
	Overlap float64 `json:"overlap_seconds"`
	// HealedAt is when the last fault was undone and traffic ended, QuietAt when all was read and loaded after that; zero when it never was.
	HealedAt time.Time `json:"healed_at"`
	QuietAt  time.Time `json:"quiet_at,omitzero"`
	// Bound is how many seconds may pass between the two.
	Bound float64 `json:"bound_seconds"`
	// Pending and Unacked are what the loaders' consumer still had before it at the end.
	Pending uint64 `json:"pending"`
	Unacked int    `json:"unacked"`
	// Repeats is how many writes may repeat one that the sink has: what was in the hands of every loader that was ended, frozen or cut off.
	Repeats int `json:"repeats_allowed"`
}

// Version is one version of an order that queries could see.
type Version struct {
	Key      string    `json:"key"`
	TS       int64     `json:"ts"`
	Modified time.Time `json:"modified"`
	// Visible is when queries began to see it.
	Visible time.Time `json:"visible_since"`
	// SHA256 is of the row's bytes, in hex.
	SHA256 string `json:"sha256"`
	// Served: it stood in an answer.
	Served bool `json:"served"`
}

// Record is a record as the stream holds it.
type Record struct {
	Sequence uint64
	Stored   time.Time
	Key      string
	TS       int64
	// SHA256 is of the row's bytes, in hex.
	SHA256 string
	// Copy: it was put there again by an operator.
	Copy bool
	// Broken says why it is not what a record must be; empty when it is.
	Broken string
}

// Checkpoint is a checkpoint that stood on the stream.
type Checkpoint struct {
	Sequence                          uint64
	Run                               string
	Commit, Records, Total            uint64
	Start, Begin, End, Cursor, SentAt time.Time
	// SweptAt is when the last sweep began that ran to its end; zero before.
	SweptAt time.Time
}

// Letter is a dead letter of a record; Sequence is the record's.
type Letter struct {
	ID, Sequence uint64
	Stored       time.Time
}

// Floor is how far the loaders had acknowledged at a moment.
type Floor struct {
	// At is after the answer, so that everything acknowledged was so before.
	At time.Time `json:"at"`
	// Acked: every record up to this sequence is acknowledged.
	Acked uint64 `json:"acked"`
	// Created tells one consumer from another of its name.
	Created time.Time `json:"created"`
}

// Row is a row of the sink's table.
type Row struct {
	Key      string `json:"key"`
	TS       int64  `json:"ts"`
	Sequence uint64 `json:"sequence"`
	SHA256   string `json:"sha256"`
}

// Write is one change of a row of the sink's table; the old version is 0 where there was no row.
type Write struct {
	At          time.Time `json:"at"`
	Key         string    `json:"key"`
	OldTS       int64     `json:"old_ts"`
	OldSequence uint64    `json:"old_sequence"`
	TS          int64     `json:"ts"`
	Sequence    uint64    `json:"sequence"`
}

// Request is one event that reached the receiver.
type Request struct {
	// At is before the answer was sent.
	At       time.Time `json:"at"`
	Status   int       `json:"status"`
	Key      string    `json:"key"`
	TS       int64     `json:"ts"`
	Sequence uint64    `json:"sequence"`
}

// taken reports that the receiver said that it has the event.
func (r Request) taken() bool { return r.Status >= 200 && r.Status < 300 }

// Output is what was searched for canaries.
type Output struct {
	// Canaries and Files are how many.
	Canaries, Files int
	// Hits name the file and the number of the canary, never its text.
	Hits []string
}
