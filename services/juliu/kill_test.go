package juliu_test

import (
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/stream"
	"juliu/services/juliu"
)

const kills = 30

// Kill the whole of `juliu up`, its server too, at random moments, while orders move: nothing is lost, nothing is stored twice, and the
// checkpoint never stands ahead of what is stored.
func TestUpSurvivesKills(t *testing.T) {
	t.Parallel()
	box, err := sandbox.New(sandbox.Config{
		Orders: 4000, History: 24 * time.Hour, Now: time.Now, Faults: sandbox.AllFaults(0),
		Traffic: sandbox.Traffic{PerSecond: 40, NewShare: 0.4, EditShare: 0.2, LateShare: 0.1, LateMax: 4 * time.Second, DriftPerCall: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	erp := httptest.NewServer(box)
	t.Cleanup(erp.Close)
	ctx := t.Context()
	go func() { _ = box.Run(ctx) }()

	data := t.TempDir()
	env := map[string]string{
		"JST_BASE_URL": erp.URL, "JST_APP_KEY": sandbox.DefaultAppKey, "JST_APP_SECRET": sandbox.DefaultAppSecret,
		"JST_ACCESS_TOKEN": sandbox.DefaultAccessToken, "JST_RATE_PER_SECOND": "10000", "JST_RATE_PER_MINUTE": "600000",
		"EXTRACTOR_START": "25h", "EXTRACTOR_INTERVAL": "1s", "EXTRACTOR_SETTLE": "1s", "EXTRACTOR_OVERLAP": "5s", "EXTRACTOR_WINDOW": "1h",
	}
	for range kills {
		up := command(ctx, t, env, "juliu", "up", "--data", data)
		if err := up.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = up.cmd.Wait()
		}()
		select {
		case <-ended:
			t.Fatalf("it ended by itself:\n%s", up.out)
		case <-time.After(time.Duration(100+rand.N(1200)) * time.Millisecond):
		}
		_ = up.cmd.Process.Kill()
		<-ended
		inspect(t, data, box, false)
	}
	box.SetTraffic(sandbox.Traffic{})
	box.Settle()
	code, out, _ := command(ctx, t, env, "juliu", "up", "--data", data, "--for", "25s").run(t)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	inspect(t, data, box, true)
}

// inspect opens the data folder that a killed process left and compares it with the ledger: nothing is missing that the checkpoint says
// is stored; at rest nothing is missing at all, and nothing stands on the stream twice, out of order or altered.
func inspect(t *testing.T, data string, box *sandbox.Sandbox, atRest bool) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := embednats.Start(t.Context(), embednats.Options{Dir: data, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := stream.Connect(t.Context(), stream.Config{URL: server.URL(), Name: "inspect"}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	journal, err := stream.OpenJournal(t.Context(), conn, "sales-out", "main")
	if err != nil {
		t.Fatal(err)
	}
	cursor := time.Time{}
	if c := journal.Checkpoint(); c != nil {
		cursor = c.GetCursor().AsTime()
	}
	final := box.Ledger().Final()
	stored := map[string]int64{}
	if err := stream.Read(t.Context(), conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		stored[d.Record.Key] = d.Record.Version.TS
		return d.Err
	}); err != nil {
		t.Fatal(err)
	}
	for key, v := range final {
		covered := v.Modified.Before(cursor) && v.VisibleSince.Before(cursor)
		if covered && stored[key] != v.TS {
			t.Errorf("the checkpoint %v is ahead: order %s of %v is stored as %d, shown as %d", cursor, key, v.Modified, stored[key], v.TS)
		}
	}
	if !atRest {
		return
	}
	proof, err := juliu.Prove(t.Context(), conn, "main", box.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("after %d kills: %v", kills, proof)
	if !proof.OK() {
		t.Error("the stream differs from what the ERP showed")
	}
}
