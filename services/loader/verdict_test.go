package loader_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"juliu/pkg/sink"
	"juliu/services/loader"
)

func TestVerdictFollowsTheSinksError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	for name, test := range map[string]struct {
		err     error
		attempt int
		action  string
		after   time.Duration
		class   string
	}{
		"no error acknowledges":                                   {nil, 1, "done", 0, ""},
		"no error acknowledges the last attempt too":              {nil, 10, "done", 0, ""},
		"an error is tried again after a second":                  {broken, 1, "retry", time.Second, ""},
		"the second time after two":                               {broken, 2, "retry", 2 * time.Second, ""},
		"the ninth time after four minutes and a bit":             {broken, 9, "retry", 256 * time.Second, ""},
		"the last attempt gives up":                               {broken, 10, "reject", 0, "exhausted"},
		"more attempts than allowed give up":                      {broken, 11, "reject", 0, "exhausted"},
		"an ended deadline is an error like any other":            {context.DeadlineExceeded, 1, "retry", time.Second, ""},
		"a refusal gives up at once":                              {sink.ErrRejected, 1, "reject", 0, "rejected"},
		"a wrapped refusal gives up at once":                      {fmt.Errorf("too long: %w", sink.ErrRejected), 1, "reject", 0, "rejected"},
		"an outage pauses":                                        {&sink.UnavailableError{Cause: broken}, 1, "pause", 0, ""},
		"an outage pauses as long as the sink asks":               {&sink.UnavailableError{Cause: broken, RetryAfter: time.Hour}, 1, "pause", time.Hour, ""},
		"an outage burns no attempt, not even the last":           {&sink.UnavailableError{Cause: broken}, 99, "pause", 0, ""},
		"an outage that wraps a refusal is an outage":             {&sink.UnavailableError{Cause: sink.ErrRejected}, 1, "pause", 0, ""},
		"an outage counts however deep it is wrapped in an error": {fmt.Errorf("write: %w", &sink.UnavailableError{Cause: broken}), 1, "pause", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action, after, class := loader.Judge(test.err, test.attempt, 10)
			if action != test.action || after != test.after || class != test.class {
				t.Errorf("judge: %s after %s, class %q; want %s after %s, class %q", action, after, class, test.action, test.after, test.class)
			}
		})
	}
}

func TestDelaysGrowToFiveMinutesAndStayThere(t *testing.T) {
	t.Parallel()
	total := time.Duration(0)
	for attempt, want := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300} {
		_, after, _ := loader.Judge(errors.New("broken"), attempt+1, 1000)
		if after != time.Duration(want)*time.Second {
			t.Errorf("after attempt %d the wait is %s, want %d s", attempt+1, after, want)
		}
		if attempt < 9 {
			total += after
		}
	}
	if total.Round(time.Minute) != 9*time.Minute {
		t.Errorf("ten attempts take %s, the documentation says about 9 minutes", total)
	}
	if _, after, _ := loader.Judge(errors.New("broken"), 1<<40, 1<<41); after != 5*time.Minute {
		t.Errorf("after an absurd number of attempts the wait is %s, want 5m", after)
	}
}
