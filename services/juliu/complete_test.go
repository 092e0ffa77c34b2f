package juliu_test

import (
	"net"
	"testing"
	"time"
)

func TestAShellDoesNotWaitForASilentServer(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	silent, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	env := map[string]string{"NATS_URL": "nats://" + silent.Addr().String()}
	for _, args := range [][]string{{"jobs", "watch", ""}, {"dlq", "requeue", "--group", ""}, {"audit", "--job", ""}} {
		p := command(t.Context(), t, env, "juliu", append([]string{"__complete"}, args...)...)
		p.cmd.Stderr = nil
		// A connection alone would be waited for twice as long, and asked for again.
		if code, out, took := p.run(t); code != 0 || out != ":4\n" || took > 1900*time.Millisecond {
			t.Errorf("%v: exit code %d after %v, want nothing offered within a second:\n%s", args, code, took, out)
		}
	}
}
