package rig

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"juliu/pkg/chaos"
)

// Page is the result of a run.
type Page struct {
	Seed     uint64            `json:"seed"`
	Began    time.Time         `json:"began"`
	Took     float64           `json:"took_seconds"`
	Versions map[string]string `json:"versions"`
	// Faults counts them by kind.
	Faults map[string]int `json:"faults"`
	// Ends counts how processes ended by themselves: "extractor-1 exit 3".
	Ends map[string]int `json:"ends"`
	// Rare counts what has to happen for the run to have proved anything about it.
	Rare map[string]int `json:"rare"`
	// Recovery is how long it took, in seconds.
	Recovery map[string]Spread `json:"recovery"`
	Report   chaos.Report      `json:"report"`
}

// Spread is the distribution of some figures.
type Spread struct {
	N    int     `json:"n"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	Most float64 `json:"most"`
}

func spread(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	slices.Sort(figures)
	rank := func(p float64) float64 { return figures[min(len(figures)-1, int(p*float64(len(figures))))] }
	return Spread{N: len(figures), P50: rank(0.5), P99: rank(0.99), Most: figures[len(figures)-1]}
}

func (d *driver) page(ctx context.Context, h chaos.History) Page {
	p := Page{
		Seed: d.o.Seed, Began: d.began, Took: d.now().UTC().Sub(d.began).Seconds(), Versions: d.versions(ctx), Faults: map[string]int{}, Ends: map[string]int{},
		Rare: d.rare(h), Recovery: recovery(d.done, h), Report: chaos.Check(h),
	}
	for _, e := range d.done {
		p.Faults[e.Kind]++
	}
	for _, name := range slices.Sorted(maps.Keys(d.fleet.daemons)) {
		for code, n := range d.fleet.daemons[name].ends() {
			p.Ends[fmt.Sprintf("%s exit %d", name, code)] = n
		}
	}
	return p
}

func (d *driver) versions(ctx context.Context) map[string]string {
	v := map[string]string{"nats-server": d.tape.Version()}
	if out, err := exec.CommandContext(ctx, filepath.Join(d.o.Bin, "extractor"), "--version").Output(); err == nil { //nolint:gosec // The rig's own program.
		v["juliu"] = strings.TrimSpace(string(out))
	}
	var said strings.Builder
	if d.fleet.data != nil && d.fleet.data.dump(ctx, "SHOW server_version", &said) == nil {
		v["postgresql"] = strings.TrimSpace(said.String())
	}
	return v
}

// rare counts the paths that only faults lead to, by what the services say when they take them.
func (d *driver) rare(h chaos.History) map[string]int {
	count := map[string]int{"dead letter": len(h.Letters), "fenced": 0}
	for _, name := range extractors() {
		count["fenced"] += d.fleet.daemons[name].ends()[3]
	}
	said := map[string]string{
		"commit unclear":     "commit unclear; reading the checkpoint back",
		"found by the sweep": "raise EXTRACTOR_OVERLAP",
		"lease taken":        "lease taken",
		"token refreshed":    "token refreshed",
		"sink down":          "sink unavailable",
	}
	for _, name := range services() {
		log, err := os.ReadFile(d.fleet.path(chaos.OutputFolder, name+".log"))
		if err != nil {
			continue
		}
		for what, words := range said {
			count[what] += strings.Count(string(log), words)
		}
	}
	return count
}

// recovery measures what the faults cost: from the loss of the leader to a commit of another process, from the loss of a loader until all that
// was handed out is settled, and from the end of any fault to the next commit.
func recovery(done []happening, h chaos.History) map[string]Spread {
	figures := map[string][]float64{}
	for _, e := range done {
		switch {
		case e.Victim == leader:
			for _, c := range h.Checkpoints {
				if c.SentAt.After(e.Struck) && c.Run != e.Before {
					figures["takeover after "+e.Kind] = append(figures["takeover after "+e.Kind], c.SentAt.Sub(e.Struck).Seconds())
					break
				}
			}
		case slices.Contains(loaders(), e.Victim):
			for _, f := range h.Floors {
				if f.At.After(e.Struck) && f.Acked >= e.Delivered {
					figures["settled after "+e.Kind] = append(figures["settled after "+e.Kind], f.At.Sub(e.Struck).Seconds())
					break
				}
			}
		}
		for _, c := range h.Checkpoints {
			if c.SentAt.After(e.Undone) {
				figures["next commit"] = append(figures["next commit"], c.SentAt.Sub(e.Undone).Seconds())
				break
			}
		}
	}
	result := map[string]Spread{}
	for what, of := range figures {
		result[what] = spread(of)
	}
	if !h.Run.QuietAt.IsZero() {
		result["quiet"] = spread([]float64{h.Run.QuietAt.Sub(h.Run.HealedAt).Seconds()})
	}
	return result
}

// WriteText writes the page for people.
func (p Page) WriteText(out io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "seed %d, began %s, took %.0f s\n", p.Seed, p.Began.Format(time.RFC3339), p.Took)
	for _, name := range slices.Sorted(maps.Keys(p.Versions)) {
		fmt.Fprintf(&text, "%s: %s\n", name, p.Versions[name])
	}
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	total := 0
	for _, n := range p.Faults {
		total += n
	}
	_, _ = fmt.Fprintf(table, "\n%d faults of %d kinds:\n", total, len(p.Faults))
	counts(table, p.Faults)
	_, _ = fmt.Fprintf(table, "\nended by themselves:\n")
	counts(table, p.Ends)
	_, _ = fmt.Fprintf(table, "\nrare paths taken:\n")
	counts(table, p.Rare)
	_, _ = fmt.Fprintf(table, "\nseconds\tn\tp50\tp99\tmost\n")
	for _, what := range slices.Sorted(maps.Keys(p.Recovery)) {
		s := p.Recovery[what]
		_, _ = fmt.Fprintf(table, "  %s\t%d\t%.1f\t%.1f\t%.1f\n", what, s.N, s.P50, s.P99, s.Most)
	}
	_ = table.Flush()
	if _, err := fmt.Fprintln(out, text.String()); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return p.Report.WriteText(out)
}

func counts(out io.Writer, of map[string]int) {
	for _, what := range slices.Sorted(maps.Keys(of)) {
		_, _ = fmt.Fprintf(out, "  %s\t%d\n", what, of[what])
	}
}
