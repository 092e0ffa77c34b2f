package juliu_test

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"juliu/services/juliu"
)

// The end-to-end test: the same command line that the README gives to a newcomer, with orders that move while they are paged, late
// commits, and calls that fail.
func TestUpTakesEveryOrderOfARestlessFaultyERP(t *testing.T) {
	t.Setenv("JST_RATE_PER_SECOND", "1000")
	t.Setenv("JST_RATE_PER_MINUTE", "100000")
	t.Setenv("EXTRACTOR_SETTLE", "1s")
	t.Setenv("EXTRACTOR_OVERLAP", "5s")
	var out, errs bytes.Buffer
	app := juliu.App{Out: &out, Err: &errs, Now: time.Now}
	code := app.Run(t.Context(), []string{
		"up", "--data", t.TempDir(), "--orders", "3000", "--traffic", "50", "--faults", "0.01", "--rate-per-second", "0", "--for", "6s",
	})
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	proof := regexp.MustCompile(`proof: (\d+) orders in the ERP, \d+ records on the stream: 0 missing, 0 altered, 0 duplicate, 0 out of order`).FindStringSubmatch(out.String())
	if proof == nil {
		t.Fatalf("no clean proof in:\n%s%s", out.String(), errs.String())
	}
}
