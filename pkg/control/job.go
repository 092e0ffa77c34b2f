package control

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is where a job stands.
type State string

// The states of a job. A worker plans, runs and ends it; an operator pauses, resumes and cancels.
const (
	// Planning waits for a worker to count what it would cost.
	Planning State = "planning"
	// Planned has a plan, and waits for its turn.
	Planned State = "planned"
	// Running is being carried out, or waits for a worker to carry on after a crash.
	Running State = "running"
	// Paused waits for an operator.
	Paused State = "paused"
	// Done, Cancelled and Failed are for ever.
	Done      State = "done"
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

// moves are where each state can go. Those that are not in it are ends.
func moves(from State) []State {
	return map[State][]State{
		Planning: {Planned, Cancelled, Failed},
		Planned:  {Running, Paused, Cancelled, Failed},
		Running:  {Paused, Done, Cancelled, Failed},
		Paused:   {Running, Cancelled, Failed},
	}[from]
}

// Ended tells whether the state is for ever.
func (s State) Ended() bool { return s == Done || s == Cancelled || s == Failed }

// Job is something to do beside the live flow, such as a backfill.
type Job struct {
	// ID is short, unique and sorts by age, e.g. 20261124-161633-k3f.
	ID string `json:"id"`
	// Kind is what is to be done, e.g. "backfill"; Source for which merchant's account.
	Kind   string `json:"kind"`
	Source string `json:"source"`
	// State is where it stands; change it by Move.
	State State `json:"state"`
	// Spec is what was asked, in the words of its kind.
	Spec json.RawMessage `json:"spec,omitempty"`
	// Plan is nil until the job is planned.
	Plan *Plan `json:"plan,omitempty"`
	// Progress is how far it is.
	Progress Progress `json:"progress"`
	// Report is what it found, in the words of its kind; nil for kinds that only store.
	Report json.RawMessage `json:"report,omitempty"`
	// Problem is why it waits or failed, for people; no personal data.
	Problem string `json:"problem,omitempty"`
	// Created, Started, Updated and Ended are kept by Jobs; zero before it came to that.
	Created time.Time `json:"created"`
	Started time.Time `json:"started,omitzero"`
	Updated time.Time `json:"updated"`
	Ended   time.Time `json:"ended,omitzero"`
}

// Plan is what a job will cost, estimated before it begins.
type Plan struct {
	// Calls are calls of the ERP, Rows its rows.
	Calls int64 `json:"calls"`
	Rows  int64 `json:"rows"`
	// Duration is stored in nanoseconds.
	Duration time.Duration `json:"duration_ns"`
}

// Progress is how far a job is.
type Progress struct {
	// Cursor is the worker's own checkpoint: what lies before it is done.
	Cursor time.Time `json:"cursor,omitzero"`
	// Calls and Rows are as in Plan; Stored is how many of the rows were new.
	Calls  int64 `json:"calls"`
	Rows   int64 `json:"rows"`
	Stored int64 `json:"stored"`
	// Remaining is how much longer it will take, 0 when unknown; stored in nanoseconds.
	Remaining time.Duration `json:"remaining_ns"`
}

// Move changes the state; to the state it has already is no change. Errors: ErrEnded, ErrTransition.
func (j *Job) Move(to State) error {
	if err := allowed(j.State, to); err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	j.State = to
	return nil
}

func allowed(from, to State) error {
	next := moves(from)
	switch {
	case from.Ended():
		return fmt.Errorf("%w; it is %s", ErrEnded, from)
	case from == to && next != nil, slices.Contains(next, to):
		return nil
	case next == nil:
		return fmt.Errorf("%w: it is %q, which this version of juliu does not know; upgrade it", ErrTransition, from)
	}
	names := make([]string, len(next))
	for i, state := range next {
		names[i] = string(state)
	}
	return fmt.Errorf("%w: it is %s and can become %s, not %s", ErrTransition, from, strings.Join(names, ", "), to)
}
