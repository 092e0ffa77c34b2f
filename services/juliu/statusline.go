package juliu

import (
	"time"

	"juliu/pkg/control"
)

// statusLine is what status prints with --output json.
type statusLine struct {
	At          time.Time    `json:"at"`
	Server      string       `json:"server"`
	Up          bool         `json:"up"`
	Sources     []sourceLine `json:"sources"`
	Stream      streamLine   `json:"stream"`
	Loaders     loadersLine  `json:"loaders"`
	Rates       ratesLine    `json:"rates"`
	DeadLetters uint64       `json:"dead_letters"`
	Jobs        []jobLine    `json:"jobs"`

	jobs []control.Job
}

// sourceLine is one resource of one source; what is not known or was never done is null.
type sourceLine struct {
	Source     string         `json:"source"`
	Resource   string         `json:"resource"`
	Newest     *newestLine    `json:"newest"`
	Checkpoint checkpointLine `json:"checkpoint"`
	Lease      *leaseLine     `json:"lease"`
	Quota      *quotaLine     `json:"quota"`
	Audit      *auditLine     `json:"audit"`
}

// newestLine is the newest order: Age is since it was stored.
type newestLine struct {
	Sequence uint64     `json:"sequence"`
	Stored   time.Time  `json:"stored"`
	Modified *time.Time `json:"modified"`
	Age      float64    `json:"age_seconds"`
}

// checkpointLine is how far a source is read: Behind is since its cursor.
type checkpointLine struct {
	Cursor    *time.Time `json:"cursor"`
	Behind    float64    `json:"behind_seconds"`
	Committed *time.Time `json:"committed_at"`
	ReadAt    *time.Time `json:"read_at"`
	SweptAt   *time.Time `json:"swept_at"`
	Start     *time.Time `json:"start"`
	// Mode is how the ERP is walked, as in EXTRACTOR_CURSOR.
	Mode   string `json:"mode"`
	Filter string `json:"filter"`
	Total  uint64 `json:"records"`
	// Standing says that commits go on while the cursor does not.
	Standing bool `json:"standing"`
}

// leaseLine is who reads a source: Since is when the holder began, Term how long the lease lasts without a word.
type leaseLine struct {
	Holder string    `json:"holder"`
	Since  time.Time `json:"since,omitzero"`
	Term   float64   `json:"term_seconds"`
}

// quotaLine is what the holder of the lease told within the last seconds: calls of the last minute, and refusals since it began.
type quotaLine struct {
	Used       int    `json:"used_last_minute"`
	Allowed    int    `json:"allowed_per_minute"`
	Configured int    `json:"configured_per_minute"`
	Refused    uint64 `json:"refused"`
}

// streamLine is the stream's size; a limit of 0 is none.
type streamLine struct {
	Records       uint64    `json:"records"`
	Bytes         uint64    `json:"bytes"`
	MaxBytes      uint64    `json:"max_bytes"`
	MaxAge        float64   `json:"max_age_seconds"`
	FirstSequence uint64    `json:"first_sequence"`
	LastSequence  uint64    `json:"last_sequence"`
	FirstTime     time.Time `json:"first_time,omitzero"`
}

// loadersLine is how the loaders keep up: Waiting loaders have nothing to do, Oldest is when the oldest record of the backlog was stored, ETA
// is until it is loaded.
type loadersLine struct {
	Waiting     uint64     `json:"waiting"`
	Backlog     uint64     `json:"backlog"`
	AckPending  uint64     `json:"ack_pending"`
	Redelivered uint64     `json:"redelivered"`
	AckFloor    uint64     `json:"ack_floor"`
	ETA         *float64   `json:"eta_seconds"`
	Oldest      *time.Time `json:"oldest_stored"`
	Acked       *time.Time `json:"acked_at"`
	Stuck       bool       `json:"stuck"`
	Expiring    bool       `json:"expiring"`
	Paused      bool       `json:"paused"`
}

// ratesLine is how fast orders come and go, over Seconds.
type ratesLine struct {
	Stored  float64 `json:"stored_per_second"`
	Loaded  float64 `json:"loaded_per_second"`
	Seconds float64 `json:"seconds"`
}
