package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"juliu/pkg/process"
)

// stage is what ends when.
type stage struct {
	// signals come at these times after the start; parent ends at its time, never when 0.
	signals []time.Duration
	parent  time.Duration
	// the service works this long after intake has ended, longer than anybody waits when it is an hour.
	length time.Duration
	result error
}

func TestAProcessStopsInTwoStages(t *testing.T) {
	t.Parallel()
	const grace = 10 * time.Second
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		stage stage
		// intake and work end at these times; -1 when not before run returned.
		intake, work time.Duration
		released     bool
		err          error
	}{
		"what is in hand is finished":                   {stage{signals: seconds(1), length: 5 * time.Second}, time.Second, -1, false, nil},
		"after the grace it is dropped":                 {stage{signals: seconds(1), length: time.Hour}, time.Second, 11 * time.Second, true, nil},
		"a second signal drops it at once":              {stage{signals: seconds(1, 3), length: time.Hour}, time.Second, 3 * time.Second, true, nil},
		"two signals at once drop it at once":           {stage{signals: seconds(1, 1), length: time.Hour}, time.Second, time.Second, true, nil},
		"the end of the parent is a first signal":       {stage{parent: 2 * time.Second, length: 5 * time.Second}, 2 * time.Second, -1, false, nil},
		"a signal after the parent's end is the second": {stage{parent: time.Second, signals: seconds(4), length: time.Hour}, time.Second, 4 * time.Second, true, nil},
		"an error while stopping is told":               {stage{signals: seconds(1), length: time.Second, result: broken}, time.Second, -1, false, broken},
		"an error after the grace is told":              {stage{signals: seconds(1), length: time.Hour, result: broken}, time.Second, 11 * time.Second, true, broken},
		"being cancelled as asked is no error":          {stage{signals: seconds(1), length: time.Second, result: fmt.Errorf("read: %w", context.Canceled)}, time.Second, -1, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				parent, end := context.WithCancel(t.Context())
				defer end()
				if test.stage.parent > 0 {
					time.AfterFunc(test.stage.parent, end)
				}
				signals := make(chan os.Signal, 2)
				for _, after := range test.stage.signals {
					time.AfterFunc(after, func() { signals <- os.Interrupt })
				}
				intakeEnd, workEnd, released := time.Duration(-1), time.Duration(-1), false
				err := process.RunUntil(parent, signals, func() { released = true }, grace, func(intake, work context.Context) error {
					<-intake.Done()
					intakeEnd = time.Since(begin)
					select {
					case <-work.Done():
						workEnd = time.Since(begin)
					case <-time.After(test.stage.length):
					}
					return test.stage.result
				})
				if intakeEnd != test.intake || workEnd != test.work || released != test.released || !errors.Is(err, test.err) {
					t.Errorf("intake ended after %s, work after %s, signals released %t, error %v; want %s, %s, %t, %v",
						intakeEnd, workEnd, released, err, test.intake, test.work, test.released, test.err)
				}
			})
		})
	}
}

func seconds(all ...int) []time.Duration {
	var spans []time.Duration
	for _, n := range all {
		spans = append(spans, time.Duration(n)*time.Second)
	}
	return spans
}

func TestAServiceThatEndsByItselfTellsItsError(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"none": nil, "one": errors.New("broken"), "a cancellation that nobody asked for": context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := process.RunUntil(t.Context(), nil, func() {}, time.Second, func(intake, work context.Context) error {
				if intake.Err() != nil || work.Err() != nil {
					t.Error("a context ended before anybody asked")
				}
				return want
			})
			if !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
		})
	}
}

func TestATermSignalStopsAProcess(t *testing.T) { //nolint:paralleltest // the signal goes to the whole process
	err := process.Run(t.Context(), time.Minute, func(intake, work context.Context) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-intake.Done()
		return work.Err()
	})
	if err != nil {
		t.Errorf("error %v, want none", err)
	}
}
