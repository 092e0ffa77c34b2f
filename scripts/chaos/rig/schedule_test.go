package rig_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"juliu/scripts/chaos/rig"
)

func TestTheSameSeedGivesTheSameSchedule(t *testing.T) {
	t.Parallel()
	one, again, other := rig.Schedule(7, 40, time.Minute), rig.Schedule(7, 40, time.Minute), rig.Schedule(8, 40, time.Minute)
	if !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("seed 7:\n%v\nagain:\n%v\nseed 8:\n%v", one, again, other)
	}
}

func TestAScheduleHasEveryKindAndNeverTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed, n := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(30, 300).Draw(t, "n")
		steps := rig.Schedule(seed, n, time.Duration(n)*4*time.Second)
		seen := map[string]bool{}
		for i, s := range steps {
			seen[s.Kind] = true
			going := 0
			for _, before := range steps[:i] {
				if before.At+before.For <= s.At {
					continue
				}
				going++
				if before.Victim == s.Victim {
					t.Fatalf("%v strikes while %v lasts", s, before)
				}
			}
			if going >= 3 {
				t.Fatalf("%v is one of %d at once", s, going+1)
			}
		}
		if len(steps) != n || len(seen) < 20 {
			t.Fatalf("%d steps of %d kinds, want %d of at least 20", len(steps), len(seen), n)
		}
	})
}
