package juliu_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"juliu/services/juliu"
)

// A juliu up needs no lease and shows itself all the same, also after it was killed; doctor has nothing against it.
func TestJuliuUpIsShownWithItsQuota(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	var killed string
	for range 2 {
		up := command(t.Context(), t, nil, "juliu", "up", "--data", data, "--orders", "50", "--history", "10m")
		if err := up.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		holder := awaitQuota(t, data, killed)
		code, out, _ := command(t.Context(), t, nil, "juliu", "doctor", "--data", data, "--output", "json").run(t)
		if code != 0 || !strings.Contains(out, `"check":"quota","level":"ok"`) {
			t.Errorf("exit code %d\n%s", code, out)
		}
		_ = up.cmd.Process.Kill()
		_ = up.cmd.Wait()
		killed = holder
	}
}

// awaitQuota waits until another holder than before tells its quota, and returns its name.
func awaitQuota(t *testing.T, data, before string) string {
	t.Helper()
	var out, errs bytes.Buffer
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		out.Reset()
		errs.Reset()
		if (juliu.App{Out: &out, Err: &errs, Now: time.Now}).Run(t.Context(), []string{"status", "--data", data, "--output", "json"}) != 0 {
			continue // it starts
		}
		var v struct {
			Sources []struct {
				Lease *struct {
					Holder string `json:"holder"`
				} `json:"lease"`
				Quota *struct {
					Used int `json:"used_last_minute"`
				} `json:"quota"`
			} `json:"sources"`
		}
		if err := json.Unmarshal(out.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		for _, s := range v.Sources {
			if s.Lease != nil && s.Lease.Holder != before && s.Quota != nil && s.Quota.Used > 0 {
				return s.Lease.Holder
			}
		}
	}
	t.Fatalf("nobody tells a quota:\n%s%s", out.String(), errs.String())
	return ""
}
