package juliu

import (
	"strings"
	"testing"
	"time"

	"juliu/pkg/audit"
)

// Exit code 0 means complete: a report that leaves something open is an error that says what to do.
func TestOnlyACompleteReportIsNoError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit func(r *audit.Report)
		want string
	}{
		"complete":                     {func(*audit.Report) {}, ""},
		"complete, with an extra":      {func(r *audit.Report) { r.Add(audit.Difference{Kind: audit.Extra}) }, ""},
		"repaired":                     {func(r *audit.Report) { r.Add(audit.Difference{Kind: audit.Missing, Repaired: true}) }, ""},
		"a gap":                        {func(r *audit.Report) { r.Add(audit.Difference{Kind: audit.Stale}) }, "--repair"},
		"a gap in spite of the repair": {func(r *audit.Report) { r.Repair = true; r.Add(audit.Difference{Kind: audit.Stale}) }, "extractor's log"},
		"nothing had settled":          {func(r *audit.Report) { r.Windows = nil }, "--wait"},
		"not finished":                 {func(r *audit.Report) { r.Ended = time.Time{} }, "not finished"},
		"loaders that are behind":      {func(r *audit.Report) { r.Sink = &audit.Holding{Pending: 7} }, "7 orders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &audit.Report{Ended: time.Unix(1, 0), Windows: []audit.Window{{}}}
			test.edit(r)
			if err := unproven(r); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
