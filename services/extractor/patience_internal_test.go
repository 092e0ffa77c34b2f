package extractor

import (
	"errors"
	"io"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/jushuitan"
	"juliu/pkg/stream"
)

// The client holds the next call itself after it was refused for the number of calls: to wait on top of that would make the orders late.
func TestPatienceLeavesTheWaitForTheQuotaToTheClient(t *testing.T) {
	t.Parallel()
	log := logrus.New()
	log.SetOutput(io.Discard)
	m, err := newMetrics(prometheus.NewRegistry(), func() jushuitan.Usage { return jushuitan.Usage{} })
	if err != nil {
		t.Fatal(err)
	}
	p := patience{log: log, failures: m.failures, proven: func() bool { return true }}
	for _, refusal := range []*jushuitan.Error{
		{Kind: jushuitan.RateLimitedSecond, Code: 199}, {Kind: jushuitan.RateLimitedMinute, Code: 200}, {Kind: jushuitan.HTTPStatus, HTTPStatus: 429},
	} {
		if wait, err := p.judge(refusal); wait != 0 || err != nil {
			t.Errorf("%v: waits %v, %v", refusal, wait, err)
		}
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	refusal := &jushuitan.Error{Kind: jushuitan.TokenExpired, Code: 100}
	trouble := &jushuitan.Error{Kind: jushuitan.HTTPStatus, HTTPStatus: 502}
	cases := map[string]struct {
		proven bool
		errs   []error
		end    int // after which error it gives up, 0 never
	}{
		"a refusal at start is repeated once":            {false, []error{refusal, refusal}, 2},
		"trouble before a refusal does not count":        {false, []error{trouble, trouble, refusal, refusal}, 4},
		"trouble between refusals begins anew":           {false, []error{refusal, trouble, refusal}, 0},
		"trouble is borne for ever":                      {false, []error{trouble, trouble, trouble, trouble, trouble, trouble, trouble, trouble, trouble}, 0},
		"a refusal later is borne for a while":           {true, []error{refusal, refusal, refusal, refusal, refusal, refusal, refusal}, 7},
		"a success begins anew":                          {true, []error{refusal, refusal, refusal, refusal, refusal, refusal, nil, refusal}, 0},
		"fenced ends at once":                            {true, []error{stream.ErrFenced}, 1},
		"a lost checkpoint ends at once":                 {true, []error{stream.ErrCheckpointLost}, 1},
		"a checkpoint in the future ends at once":        {true, []error{ErrFutureCursor}, 1},
		"an unsettled window is planned again":           {true, []error{ErrUnsettled}, 0},
		"a full stream is waited for":                    {true, []error{stream.ErrFull}, 0},
		"clocks apart at start are told soon":            {false, []error{&SkewError{}, &SkewError{}}, 2},
		"one answer of a cache does not end it":          {true, []error{&SkewError{}, nil, &SkewError{}}, 0},
		"an error of no known kind is waited for":        {true, []error{errors.New("connection lost")}, 0},
		"missing rights end at once with their own code": {true, []error{&stream.PermissionError{}}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := logrus.New()
			log.SetOutput(io.Discard)
			m, err := newMetrics(prometheus.NewRegistry(), func() jushuitan.Usage { return jushuitan.Usage{} })
			if err != nil {
				t.Fatal(err)
			}
			p := patience{log: log, failures: m.failures, proven: func() bool { return c.proven }}
			for i, err := range c.errs {
				wait, end := p.judge(err)
				if gaveUp := end != nil; gaveUp != (c.end == i+1) {
					t.Fatalf("after error %d it gave up: %v", i+1, end)
				}
				if err != nil && end == nil && (wait < minWait || wait > maxWait+maxWait/4) {
					t.Fatalf("it waits %v", wait)
				}
			}
		})
	}
}
