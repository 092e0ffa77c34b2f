package sink_test

import (
	"testing"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/sinktest"
)

func TestNoopKeepsTheContract(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(*testing.T) sinktest.Subject {
		return sinktest.Subject{Sink: &sink.Noop{}, Keeps: sinktest.Nothing, Read: nil}
	})
}

func TestNoopCountsEveryRecord(t *testing.T) {
	t.Parallel()
	var s sink.Noop
	for _, size := range []int{1, 2, 3} {
		if err := s.Write(t.Context(), make([]record.Record, size)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Written(); got != 6 {
		t.Errorf("written %d, want 6", got)
	}
}
