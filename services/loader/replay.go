package loader

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"juliu/pkg/stream"
)

// ReplayKind is the kind of jobs whose spec is a Replay and whose report is a ReplayReport.
const ReplayKind = "replay"

// Replay is what the loaders are to load again. All that chooses records was settled when it was planned.
type Replay struct {
	// Plan is which records.
	Plan stream.ReplayPlan `json:"plan"`
	// Rate is how many records a second all loaders take together; 0 means as many as they can.
	Rate int `json:"rate,omitempty"`
	// Force writes a version again that the sink has already.
	Force bool `json:"force,omitempty"`
	// Sink is another sink than the live one: a value of LOADER_SINK, or jsonl:NAME.jsonl, a file beside that of LOADER_JSONL_PATH.
	Sink string `json:"sink,omitempty"`

	// What follows is what was asked for, for people.

	From         time.Time `json:"from,omitzero"`
	To           time.Time `json:"to,omitzero"`
	FromSequence uint64    `json:"from_sequence,omitempty"`
	Newest       bool      `json:"newest,omitempty"`
	Resource     string    `json:"resource,omitempty"`
	Shop         string    `json:"shop,omitempty"`
	Order        string    `json:"order,omitempty"`
	Status       string    `json:"status,omitempty"`
}

// ReplayReport is what became of the records of a replay, as the loaders counted: one that is killed takes with it what it counted in the
// last second, and what it had in hand is counted again by another.
type ReplayReport struct {
	Written  uint64 `json:"written"`
	Rejected uint64 `json:"rejected"`
	// Skipped were handed out but not wanted.
	Skipped uint64 `json:"skipped"`
}

func (r ReplayReport) settled() uint64 { return r.Written + r.Rejected + r.Skipped }

func (r ReplayReport) plus(o ReplayReport) ReplayReport {
	return ReplayReport{Written: r.Written + o.Written, Rejected: r.Rejected + o.Rejected, Skipped: r.Skipped + o.Skipped}
}

func (r ReplayReport) minus(o ReplayReport) ReplayReport {
	return ReplayReport{Written: r.Written - o.Written, Rejected: r.Rejected - o.Rejected, Skipped: r.Skipped - o.Skipped}
}

// AtRate is how long it takes at its rate, which it must have.
func (r Replay) AtRate() time.Duration {
	return time.Duration(float64(r.Plan.Chosen) / float64(r.Rate) * float64(time.Second))
}

// Validate says what is wrong with it, for people.
func (r Replay) Validate() error {
	name, file, hasFile := strings.Cut(r.Sink, ":")
	switch {
	case r.Rate < 0:
		return errors.New("the rate is a number of records a second, 0 for no limit")
	case r.Sink != "" && !slices.Contains(SinkNames(), name):
		return fmt.Errorf("the sink %q is none of %s", name, strings.Join(SinkNames(), ", "))
	case hasFile && name != sinkJSONL:
		return fmt.Errorf("the sink %s takes no file; only %s:NAME.jsonl does", name, sinkJSONL)
	case hasFile && (file != filepath.Base(file) || filepath.Ext(file) != ".jsonl"): // nor may it be added to other files that lie there
		return errors.New("the sink's file is a name without a folder that ends in .jsonl: each loader writes it beside the file of its LOADER_JSONL_PATH")
	}
	return nil
}

// replayConfig is the loader's own, with the sink that the replay asks for.
func (c Config) replayConfig(r Replay) Config {
	name, file, hasFile := strings.Cut(r.Sink, ":")
	if name != "" {
		c.Sink = name
	}
	if hasFile {
		c.JSONL.Path = filepath.Join(filepath.Dir(c.JSONL.Path), file)
	}
	c.Workers = replayWorkers(c.Workers)
	return c
}

// replayWorkers is how many workers a replay has beside those of the live flow: half as many, so that the sink is first the live flow's.
func replayWorkers(live int) int { return max(live/2, 1) }
