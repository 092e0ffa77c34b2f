//go:build failpoint

package stream_test

import (
	"os"
	"os/exec"
	"testing"

	"juliu/pkg/stream"
)

// A process that is killed at a step of its commit leaves all of the commit or nothing, and the next process goes on from there.
func TestAProcessKilledInACommitLeavesAllOfItOrNothing(t *testing.T) {
	t.Parallel()
	if url := os.Getenv("JULIU_CRASH_URL"); url != "" { // the process that is killed
		j := openJournal(t, connect(t, url))
		commit(t.Context(), t, j, orders(0, 10, 100))
		commit(t.Context(), t, j, orders(10, 10, 100))
		return
	}
	for list, want := range map[string]int{
		"checkpoint-read:kill":       0,
		"commit-before-batch:kill":   0,
		"commit-mid-batch:kill":      0,
		"commit-mid-batch:kill:10":   0,
		"commit-mid-batch:kill:15":   10,
		"commit-await-ack:kill":      10,
		"commit-await-ack:kill:2":    20,
		"commit-after-ack:kill":      10,
		"commit-before-batch:exit:2": 10,
	} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			server, conn := setup(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAProcessKilledInACommitLeavesAllOfItOrNothing$")
			cmd.Env = append(os.Environ(), "JULIU_CRASH_URL="+server.URL(), "FAILPOINT="+list)
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Fatalf("the process lived: %s", out)
			}
			if want > 0 {
				eventually(t, "the last commit is stored", func() bool { return len(stored(t, conn)) >= want })
			}
			once(t, conn, want)
			j := openJournal(t, conn)
			if got := j.Checkpoint().GetTotal(); got != uint64(want) {
				t.Errorf("the checkpoint counts %d records", got)
			}
			commit(t.Context(), t, j, orders(want, 10, 100))
			once(t, conn, want+10)
			if _, err := stream.OpenJournal(t.Context(), conn, resource, source); err != nil {
				t.Error(err)
			}
		})
	}
}
