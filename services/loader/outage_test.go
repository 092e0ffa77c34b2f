package loader_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"juliu/pkg/record"
)

// receiver is a webhook's other side, which can be down.
type receiver struct {
	down  atomic.Bool
	taken atomic.Int64
}

// ServeHTTP counts the events that it takes.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil || r.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.taken.Add(int64(strings.Count(string(body), `"sequence"`)))
}

// resident is a process's memory in kilobytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// The sink is down while orders go on coming: the loader takes no more than it can hold, no attempt is counted, and when the sink is back
// it catches up faster than orders come.
func TestAnOutageCostsNeitherMemoryNorAttempts(t *testing.T) {
	t.Parallel()
	outage, rate := 35*time.Second, 50 // orders a second; longer than AckWait
	if os.Getenv("JULIU_LONG") != "" {
		outage = 6 * time.Minute
	}
	b, path := setup(t), binary(t)
	there := &receiver{}
	server := httptest.NewServer(there)
	t.Cleanup(server.Close)
	cmd, out := command(t, path, "NATS_URL="+b.server.URL(), "LOADER_SINK=webhook", "LOADER_WEBHOOK_URL="+server.URL,
		"LOADER_WEBHOOK_ALLOW=127.0.0.1", "LOADER_WEBHOOK_SECRET=none", "LOADER_WEBHOOK_BATCH=50")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })

	stored := 0
	page := func() {
		batch := make([]record.Record, rate)
		for i := range batch {
			stored++
			batch[i] = order(t, stored, 1, `,"remark":"`+strings.Repeat("大", 900)+`"`)
		}
		b.store(t, batch...)
	}
	page()
	b.untilLoaded(t)
	there.down.Store(true)
	began, full, most := time.Now(), 0, 0
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Since(began) < outage {
		<-tick.C
		page()
		if again := b.snapshot(t).Redelivered; again > 0 {
			t.Fatalf("after %v of outage %d records were delivered again", time.Since(began), again)
		}
		switch kb := resident(t, cmd.Process.Pid); {
		case time.Since(began) < outage/4:
			full = max(full, kb)
		default:
			most = max(most, kb)
		}
	}
	behind := b.snapshot(t).Lag()
	there.down.Store(false)
	back := time.Now()
	b.untilLoaded(t)
	caught := time.Since(back)
	t.Logf("outage of %v: at most %d kB in the first quarter, %d kB later; %d records behind, loaded in %v, %.1f times as fast as they came",
		outage, full, most, behind, caught, float64(behind)/caught.Seconds()/float64(rate))
	const collector = 4 << 10 // what the garbage collector comes and goes with
	if most > full+full/10+collector {
		t.Errorf("memory grew from %d kB to %d kB", full, most)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, out)
	}
	if got := there.taken.Load(); got != int64(stored) || b.snapshot(t).DeadLetters != 0 {
		t.Errorf("%d records of %d taken, %d dead letters; want each once", got, stored, b.snapshot(t).DeadLetters)
	}
}
