package chaos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// maxNamed is how many offenders of one invariant a report names; all are counted.
const maxNamed = 50

// Class is a way in which an order goes wrong.
type Class string

// The classes, in the words of Jepsen where it has one.
const (
	// Lost: shown by the ERP, not stored, and the checkpoint says that its time is done.
	Lost Class = "lost"
	// Unseen: shown, not stored, and the checkpoint has not come to it.
	Unseen Class = "unseen"
	// Undelivered: stored, and neither written to the sink nor kept as a dead letter.
	Undelivered Class = "undelivered"
	// Duplicate: stored or written again for no reason that a crash gives.
	Duplicate Class = "duplicate"
	// Regressed: an older version after a newer one.
	Regressed Class = "regressed"
	// Invented: never shown by the ERP.
	Invented Class = "invented"
	// Altered: shown, but with other bytes.
	Altered Class = "altered"
	// Ahead: something claims what is not there, or not there yet: a checkpoint, or an acknowledgement.
	Ahead Class = "ahead"
	// Gap: time between two windows that nobody read.
	Gap Class = "gap"
	// Unfenced: a commit of a process whose place another had taken.
	Unfenced Class = "unfenced"
	// Stale: the sink holds another version than the newest.
	Stale Class = "stale"
	// Moved: the position of the loaders went back, or another consumer stands in its place.
	Moved Class = "moved"
	// Leaked: a canary stands in the output.
	Leaked Class = "leaked"
	// Stuck: not quiet within the bound.
	Stuck Class = "stuck"
)

// Offence is one thing that breaks an invariant.
type Offence struct {
	Class Class `json:"class"`
	// ID names it: "order 100017 ts 2148483651", "sequence 5", "checkpoint 9" …
	ID     string `json:"id"`
	Detail string `json:"detail,omitempty"`
}

// Verdict is what became of one invariant.
type Verdict struct {
	Invariant string `json:"invariant"`
	Meaning   string `json:"meaning"`
	// Judged is how many things were looked at. Nothing looked at proves nothing.
	Judged int `json:"judged"`
	Broken int `json:"broken"`
	// Exempt says why the invariant does not apply to this history; empty when it does.
	Exempt   string    `json:"exempt,omitempty"`
	Offences []Offence `json:"offences,omitempty"`
}

// State is held, broken, exempt, or unproven: applies, and there was nothing to judge.
func (v *Verdict) State() string {
	switch {
	case v.Broken > 0:
		return "broken"
	case v.Exempt != "":
		return "exempt"
	case v.Judged == 0:
		return "unproven"
	default:
		return "held"
	}
}

// offendf counts an offence; format and args name it.
func (v *Verdict) offendf(class Class, detail, format string, args ...any) {
	v.Broken++
	v.Offences = append(v.Offences, Offence{Class: class, ID: fmt.Sprintf(format, args...), Detail: detail})
}

// Report is the verdict about a history.
type Report struct {
	OK       bool          `json:"ok"`
	Seed     uint64        `json:"seed"`
	Sink     string        `json:"sink"`
	Orders   int           `json:"orders"`
	Versions int           `json:"versions"`
	Records  int           `json:"records"`
	Commits  int           `json:"checkpoints_seen"`
	Letters  int           `json:"dead_letters"`
	Writes   int           `json:"sink_writes"`
	Classes  map[Class]int `json:"classes"`
	Verdicts []Verdict     `json:"verdicts"`
}

// Check judges a history. OK needs every invariant that applies to be held: one that nothing was found to judge by is not.
func Check(h History) Report {
	x := newIndex(h)
	r := Report{
		OK: true, Seed: h.Run.Seed, Sink: h.Run.Sink, Orders: len(x.versions), Versions: len(h.Versions), Records: len(h.Records),
		Commits: len(h.Checkpoints), Letters: len(h.Letters), Writes: len(h.Writes) + len(h.Requests), Classes: map[Class]int{},
	}
	for _, check := range []func(*index) Verdict{
		captured, complete, gapless, notAhead, fenced, ordered, notEarly, delivered, effective, noRegression, fewRepeats, genuine, isolated, private, live,
		storedOnce,
	} {
		v := check(x)
		slices.SortStableFunc(v.Offences, func(a, b Offence) int { return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.ID, b.ID)) })
		for _, o := range v.Offences {
			r.Classes[o.Class]++
		}
		v.Offences = v.Offences[:min(len(v.Offences), maxNamed)]
		r.OK = r.OK && (v.State() == "held" || v.State() == "exempt")
		r.Verdicts = append(r.Verdicts, v)
	}
	return r
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// WriteText writes the report for people.
func (r Report) WriteText(out io.Writer) error {
	var text strings.Builder
	verdict := "HELD: every invariant that applies"
	if !r.OK {
		verdict = "NOT HELD"
	}
	fmt.Fprintf(&text, "%s\n%d orders, %d versions, %d records, %d checkpoints seen, %d dead letters, %d writes to %s\n\n",
		verdict, r.Orders, r.Versions, r.Records, r.Commits, r.Letters, r.Writes, r.Sink)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, v := range r.Verdicts {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d of %d broken\t%s\n", v.Invariant, v.State(), v.Broken, v.Judged, cmp.Or(v.Exempt, v.Meaning))
	}
	_ = table.Flush()
	for _, v := range r.Verdicts {
		for i, o := range v.Offences {
			if i == 5 {
				fmt.Fprintf(&text, "  %s … and %d more\n", v.Invariant, v.Broken-i)
				break
			}
			fmt.Fprintf(&text, "  %s %s: %s %s\n", v.Invariant, o.Class, o.ID, o.Detail)
		}
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
