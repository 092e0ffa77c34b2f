//go:build !failpoint

package failpoint_test

import (
	"testing"

	"juliu/pkg/failpoint"
)

// Without the tag a step costs nothing, whatever the variable says.
func TestWithoutTheTagNothingHappens(t *testing.T) {
	t.Setenv("FAILPOINT", "step:exit")
	failpoint.Hit("step")
	if ctx := failpoint.Waiting(t.Context(), "step", nil); ctx != t.Context() {
		t.Error("the context is another one")
	}
	if allocs := testing.AllocsPerRun(100, func() {
		captured := 0
		_ = failpoint.Waiting(t.Context(), "step", func() { captured++ })
	}); allocs != 0 {
		t.Errorf("a step allocates %v times", allocs)
	}
}

func BenchmarkHit(b *testing.B) {
	for b.Loop() {
		failpoint.Hit("step")
	}
}
