package audit

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// zone is the merchant's: the vendor's times are of +08:00.
func zone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone()).Format("2006-01-02 15:04:05")
}

// number is a whole number in digits.
func number[N int | int64](n N) string { return strconv.FormatInt(int64(n), 10) }

// sheet is rows of cells that are printed as a table of text or of Markdown.
type sheet [][]string

func (s sheet) text(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range s {
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush()
}

func (s sheet) markdown(w io.Writer) {
	for i, row := range s {
		_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			_, _ = fmt.Fprintln(w, "|"+strings.Repeat(" --- |", len(row)))
		}
	}
}

// facts are what the report is about.
func (r *Report) facts() sheet {
	shop, how := r.Shop, "by count; rows are read where counts differ"
	if shop == "" {
		shop = "all that the source reads"
	}
	if r.Exact {
		how = "every row"
	}
	facts := sheet{
		{"fact", "value"},
		{"period (+08:00, end excluded)", clock(r.From) + " to " + clock(r.To)},
	}
	if !r.AskedTo.IsZero() {
		facts = append(facts, []string{"not compared, had not settled", clock(r.To) + " to " + clock(r.AskedTo)})
	}
	t := r.Total()
	facts = append(facts, sheet{
		{"source", r.Source + ", " + r.Resource},
		{"shop", shop},
		{"status", r.Status},
		{"compared", how},
		{"orders in the ERP", number(t.ERP)},
		{"orders on the stream", number(t.Stream)},
	}...)
	if s := r.Sink; s != nil {
		facts = append(facts, []string{"orders in the sink " + s.Name, fmt.Sprintf("%d, stream %d, %d yet to be written", s.Rows, s.Stream, s.Pending)})
	}
	return append(facts, sheet{
		{"differences", fmt.Sprintf("%d, %d of them repaired, %d gaps left", r.Found(), r.Repaired(), r.Gaps())},
		{"rows compared one by one", number(t.Compared)},
		{"calls of the ERP", number(r.Calls)},
		{"carried out", clock(r.Began) + " to " + clock(r.Ended)},
		{"program", "juliu " + r.Program},
		{"job", r.Job},
	}...)
}

// days are the windows.
func (r *Report) days() sheet {
	s := sheet{{"begin +08:00", "end +08:00", "ERP", "stream", "missing", "stale", "altered", "extra", "repaired", "compared", "note"}}
	for _, w := range append(r.Windows, r.Total()) {
		s = append(s, []string{
			clock(w.Begin), clock(w.End), number(w.ERP), number(w.Stream), number(w.Missing), number(w.Stale),
			number(w.Altered), number(w.Extra), number(w.Repaired), w.how(), w.notes(),
		})
	}
	s[len(s)-1][0], s[len(s)-1][1] = "total", ""
	return s
}

func (w *Window) how() string {
	if w.Counted {
		return fmt.Sprintf("count, %d rows", w.Compared)
	}
	return fmt.Sprintf("%d rows", w.Compared)
}

// notes explain counts that differ for another reason than an order that is missing.
func (w *Window) notes() string {
	var parts []string
	add := func(n int64, text string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, text))
		}
	}
	add(int64(w.Moved), "modified again meanwhile")
	add(int64(w.Hidden), "archived")
	add(int64(w.Nameless), "without a number")
	add(w.Overcounted, "counted but not shown by the ERP")
	add(int64(w.Unshown), "times counted in a second and none shown by the ERP")
	return strings.Join(parts, ", ")
}

// list are the differences.
func (r *Report) list() sheet {
	s := sheet{{"in", "difference", "number", "shop", "modified +08:00", "done"}}
	for _, d := range r.Differences {
		done := "left as it is"
		switch {
		case d.Repaired:
			done = "stored anew"
		case d.Kind == Extra:
			done = "the other side does not show it; kept"
		}
		s = append(s, []string{d.In, string(d.Kind), d.Key, d.Shop, clock(d.Modified), done})
	}
	return s
}

// limits say what the report does not prove.
func (r *Report) limits() string {
	const always = "The stream is judged by the headers of its records, as it was when the audit began and with what was stored since: " +
		"records that were deleted or expired meanwhile, and bodies that cannot be read, are not seen. " +
		"What the ERP counts and does not show cannot be compared."
	if r.Exact {
		return "Every row that the ERP shows was compared by number, version and content. " + always
	}
	return "Where the ERP's count and the stream's agree, rows were not read beyond the first page: there an order that is missing beside one too many " +
		"(as one that went back to a status which is not stored), and an order whose content was altered, are not seen; --exact reads every row. " + always
}

// Verdict is the result in one line. It is "complete" only for what was compared, and says what was not.
func (r *Report) Verdict() string {
	if len(r.Windows) == 0 {
		return "nothing was compared: no part of the period has settled yet"
	}
	verdict, total := r.result(), r.Total()
	if r.Ended.IsZero() {
		verdict = "not finished, compared up to " + clock(r.To) + ": " + verdict
	}
	if total.Overcounted > 0 {
		verdict += fmt.Sprintf("; the ERP counts %d orders that it does not show", total.Overcounted)
	}
	if total.Unshown > 0 {
		verdict += fmt.Sprintf("; %d times the ERP counted orders in a second and showed none", total.Unshown)
	}
	if !r.AskedTo.IsZero() {
		verdict += "; not compared: what was modified from " + clock(r.To) + " on"
	}
	return verdict
}

// result is the verdict on what was compared.
func (r *Report) result() string {
	switch gaps, found := r.Gaps(), r.Found(); {
	case gaps > 0:
		return fmt.Sprintf("%d gaps left of %d differences", gaps, found)
	case r.Pending() > 0:
		return fmt.Sprintf("no gap left of %d differences, but %d orders have yet to be written to %s", found, r.Pending(), r.Sink.Name)
	case found > 0:
		return fmt.Sprintf("no gap left: %d differences, %d repaired", found, r.Repaired())
	case r.Total().Counted:
		return "complete by count: no difference"
	default:
		return "complete: no difference"
	}
}

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer) {
	r.facts()[1:].text(w)
	_, _ = fmt.Fprintln(w)
	r.days().text(w)
	if len(r.Differences) > 0 {
		_, _ = fmt.Fprintln(w)
		r.list().text(w)
	}
	_, _ = fmt.Fprintf(w, "%s\n%s\n%s\n", r.unnamed(), r.limits(), r.Verdict())
}

// Markdown writes the report to be handed on.
func (r *Report) Markdown(w io.Writer) {
	_, _ = fmt.Fprintf(w, "# Audit of %s, %s to %s\n\n**%s**\n\n", r.Source, clock(r.From), clock(r.To), r.Verdict())
	r.facts().markdown(w)
	_, _ = fmt.Fprint(w, "\n## Days\n\n")
	r.days().markdown(w)
	_, _ = fmt.Fprint(w, "\n## Differences\n\n")
	if len(r.Differences) == 0 {
		_, _ = fmt.Fprintln(w, "None.")
	} else {
		r.list().markdown(w)
	}
	_, _ = fmt.Fprintf(w, "%s\n## What this does not prove\n\n%s\n", r.unnamed(), r.limits())
}

func (r *Report) unnamed() string {
	if r.Unnamed == 0 {
		return ""
	}
	return fmt.Sprintf("\nAnd %d more, %d of them gaps.\n", r.Unnamed, r.UnnamedGaps)
}
