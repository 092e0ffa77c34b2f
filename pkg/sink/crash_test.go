//go:build failpoint

package sink_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"juliu/pkg/record"
)

// A process that is killed at a step between two files loses no line that it acknowledged, and the next process goes on.
func TestAProcessKilledBetweenTwoFilesLosesNothing(t *testing.T) {
	if path := os.Getenv("JULIU_CRASH_PATH"); path != "" { // the process that is killed
		s := openRotating(t, path, 1, time.Now)
		for n := range uint64(3) {
			_ = s.Write(t.Context(), []record.Record{order(t, "1", n+1)})
		}
		return
	}
	for _, step := range []string{"jsonl-reserved", "jsonl-put-aside", "jsonl-created"} {
		for count, stored := range map[string][]uint64{"kill": {1}, "kill:2": {1, 2}} {
			t.Run(step+" "+count, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "orders.jsonl")
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAProcessKilledBetweenTwoFilesLosesNothing$")
				cmd.Env = append(os.Environ(), "JULIU_CRASH_PATH="+path, "FAILPOINT="+step+":"+count)
				if out, err := cmd.CombinedOutput(); err == nil {
					t.Fatalf("the process lived: %s", out)
				}
				s := openRotating(t, path, 1, time.Now)
				for n := range uint64(2) {
					if err := s.Write(t.Context(), []record.Record{order(t, "1", n+10)}); err != nil {
						t.Fatal(err)
					}
				}
				if got, want := slices.Concat(sequences(t, path)...), append(stored, 10, 11); !slices.Equal(got, want) {
					t.Errorf("files hold %d, want %d", got, want)
				}
			})
		}
	}
}
