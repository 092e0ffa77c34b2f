package sink_test

import (
	"testing"

	"juliu/pkg/sink"
	"juliu/pkg/sink/sinktest"
)

func TestNoopKeepsTheContract(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(*testing.T) sinktest.Subject {
		return sinktest.Subject{Sink: &sink.Noop{}, Keeps: sinktest.Nothing, Read: nil}
	})
}
