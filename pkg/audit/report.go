package audit

import "time"

// maxNamed bounds the differences that a report names: it travels in one message of NATS, 1 MiB at most by default. The windows count all.
const maxNamed = 4000

// Report is the result of an audit.
type Report struct {
	Job      string `json:"job,omitempty"`
	Source   string `json:"source"`
	Resource string `json:"resource"`
	// Shop is "" for all that the source reads, Status the status from which on orders are stored.
	Shop   string `json:"shop_id,omitempty"`
	Status string `json:"status"`
	// From and To bound the modification times compared, To excluded. AskedTo is later when the rest had not settled.
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	AskedTo time.Time `json:"asked_to,omitzero"`
	// Exact says that every row was read, and not only counted.
	Exact  bool `json:"exact"`
	Repair bool `json:"repair"`
	// Program is the build that compared.
	Program string    `json:"program"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	// Calls are the calls of the ERP.
	Calls   int64    `json:"calls"`
	Windows []Window `json:"windows"`
	// Sink is the sink that was compared with the stream, if any.
	Sink *Holding `json:"sink,omitempty"`
	// Differences are named up to a bound; Unnamed are those beyond, UnnamedGaps the gaps among them.
	Differences []Difference `json:"differences"`
	Unnamed     int          `json:"unnamed"`
	UnnamedGaps int          `json:"unnamed_gaps"`
}

// Window is one span of modification time as the ERP and the stream hold it.
type Window struct {
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
	// ERP is how many orders the ERP has there, Stream how many keys have their newest version there, before any repair.
	ERP    int64 `json:"erp"`
	Stream int64 `json:"stream"`
	// Compared is how many rows were read and compared one by one.
	Compared int64 `json:"rows_compared"`
	// Counted says that some of the window rests on the ERP's count alone.
	Counted bool `json:"counted"`
	// Missing, Stale, Altered and Extra count differences, Repaired those that were stored anew.
	Missing  int `json:"missing"`
	Stale    int `json:"stale"`
	Altered  int `json:"altered"`
	Extra    int `json:"extra"`
	Repaired int `json:"repaired"`
	// Moved are orders that were modified again meanwhile, Hidden those that the ERP shows by number alone, as archived ones, Nameless
	// rows without a number, which are kept as dead letters. They explain why counts differ, and are no differences.
	Moved    int `json:"moved"`
	Hidden   int `json:"hidden"`
	Nameless int `json:"nameless"`
	// Overcounted is by how much the ERP's count exceeds the rows that it shows.
	Overcounted int64 `json:"overcounted"`
	// Unshown is how often the ERP counted orders in a second, time after time, and showed none: those could not be compared.
	Unshown int `json:"unshown"`
}

// Holding is what a sink holds of the period.
type Holding struct {
	Name string `json:"name"`
	// Stream and Rows are how many keys have their newest version within the period on the stream and in the sink.
	Stream int64 `json:"stream"`
	Rows   int64 `json:"rows"`
	// Pending are records that the loaders have yet to write.
	Pending int `json:"pending"`
}

// Add notes a difference, once for each side and key.
func (r *Report) Add(d Difference) {
	if len(r.Differences) >= maxNamed {
		r.Unnamed++
		if d.Gap() {
			r.UnnamedGaps++
		}
		return
	}
	r.Differences = append(r.Differences, d)
}

// Tally counts a difference in the window that it was found in.
func (w *Window) Tally(d Difference) {
	switch d.Kind {
	case Missing:
		w.Missing++
	case Stale:
		w.Stale++
	case Altered:
		w.Altered++
	case Extra:
		w.Extra++
	}
	if d.Repaired {
		w.Repaired++
	}
}

// Gaps is how many orders should be stored somewhere and are not.
func (r *Report) Gaps() int {
	gaps := r.UnnamedGaps
	for _, d := range r.Differences {
		if d.Gap() {
			gaps++
		}
	}
	return gaps
}

// Pending is how many orders the loaders have yet to write to the sink that was compared.
func (r *Report) Pending() int {
	if r.Sink == nil {
		return 0
	}
	return r.Sink.Pending
}

// Found is how many differences there are.
func (r *Report) Found() int { return len(r.Differences) + r.Unnamed }

// Repaired is how many of the named differences were stored anew.
func (r *Report) Repaired() int {
	n := 0
	for _, d := range r.Differences {
		if d.Repaired {
			n++
		}
	}
	return n
}

// Total is the sum of all windows.
func (r *Report) Total() Window {
	t := Window{Begin: r.From, End: r.To}
	for _, w := range r.Windows {
		t.ERP, t.Stream, t.Compared = t.ERP+w.ERP, t.Stream+w.Stream, t.Compared+w.Compared
		t.Counted = t.Counted || w.Counted
		t.Missing, t.Stale, t.Altered, t.Extra = t.Missing+w.Missing, t.Stale+w.Stale, t.Altered+w.Altered, t.Extra+w.Extra
		t.Repaired, t.Moved, t.Hidden, t.Nameless = t.Repaired+w.Repaired, t.Moved+w.Moved, t.Hidden+w.Hidden, t.Nameless+w.Nameless
		t.Overcounted, t.Unshown = t.Overcounted+w.Overcounted, t.Unshown+w.Unshown
	}
	return t
}
