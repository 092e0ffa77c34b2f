package juliu_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"juliu/pkg/audit"
	"juliu/pkg/stream"
)

// loaded waits until the loaders have written everything.
func (g *ground) loaded(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		snap, err := stream.TakeSnapshot(t.Context(), g.conn)
		if err != nil {
			t.Fatal(err)
		}
		if snap.Lag() == 0 && snap.Records > 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the loaders lag %d records behind", snap.Lag())
		case <-ticker.C:
		}
	}
}

// sequences maps the key of each record that was modified before a time to its newest record.
func (g *ground) sequences(t *testing.T, before time.Time) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	if err := stream.ReadHeads(t.Context(), g.conn, stream.ReadOptions{Source: "main"}, func(h stream.Head) error {
		if h.Version.Modified.Before(before) {
			all[h.Key] = h.Sequence
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// drop deletes records from the stream.
func (g *ground) drop(t *testing.T, sequences ...uint64) {
	t.Helper()
	s, err := g.conn.JetStream().Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, sequence := range sequences {
		if err := s.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
}

// audit runs an audit of everything and returns the exit code and the report.
func (g *ground) audit(t *testing.T, args ...string) (int, audit.Report) {
	t.Helper()
	code, out, errs := g.juliu(t.Context(), append([]string{"audit", "--from", "80h", "--output", "json"}, args...)...)
	var report audit.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	return code, report
}

// named are the keys of differences, as "kind in key", in order.
func named(differences []audit.Difference) []string {
	var all []string
	for _, d := range differences {
		all = append(all, fmt.Sprintf("%s in %s: %s", d.Kind, d.In, d.Key))
	}
	slices.Sort(all)
	return all
}
