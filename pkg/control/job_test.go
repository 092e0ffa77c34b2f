package control_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"juliu/pkg/control"
)

// states are all states, the ends last.
func states() []control.State {
	return []control.State{
		control.Planning, control.Planned, control.Running, control.Paused, control.Done, control.Cancelled, control.Failed,
	}
}

func TestAJobMovesOnlyAsTheTableSays(t *testing.T) {
	t.Parallel()
	possible := map[control.State][]control.State{
		control.Planning: {control.Planning, control.Planned, control.Cancelled, control.Failed},
		control.Planned:  {control.Planned, control.Running, control.Paused, control.Cancelled, control.Failed},
		control.Running:  {control.Running, control.Paused, control.Done, control.Cancelled, control.Failed},
		control.Paused:   {control.Paused, control.Running, control.Cancelled, control.Failed},
	}
	for _, from := range states() {
		for _, to := range states() {
			job := control.Job{ID: "x", State: from}
			err := job.Move(to)
			switch {
			case slices.Contains(possible[from], to):
				if err != nil || job.State != to {
					t.Errorf("%s to %s: %v", from, to, err)
				}
			case from.Ended():
				if !errors.Is(err, control.ErrEnded) || job.State != from {
					t.Errorf("%s to %s: %v", from, to, err)
				}
			case !errors.Is(err, control.ErrTransition) || job.State != from:
				t.Errorf("%s to %s: %v", from, to, err)
			case !strings.Contains(err.Error(), "can become "+string(possible[from][1])):
				t.Errorf("%s to %s does not say what is possible: %v", from, to, err)
			}
		}
	}
}

func TestAnUnknownStateIsNotGuessed(t *testing.T) {
	t.Parallel()
	newer := control.Job{ID: "x", State: "archived"}
	if err := newer.Move(control.Running); !errors.Is(err, control.ErrTransition) || !strings.Contains(err.Error(), "upgrade") {
		t.Error(err)
	}
	job := control.Job{ID: "x", State: control.Planning}
	if err := job.Move("archived"); !errors.Is(err, control.ErrTransition) {
		t.Error(err)
	}
}
