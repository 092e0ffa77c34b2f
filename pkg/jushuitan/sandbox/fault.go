package sandbox

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Odds is how often a fault of calls strikes. At most one fault strikes a call.
type Odds struct {
	// Rate is the probability per call, 0 to 1.
	Rate float64
	// Count is how many of the next calls it strikes for certain, before Rate counts.
	Count int
}

// Faults is what goes wrong. The zero Faults is a healthy ERP.
//
// Odds are drawn for each call of the query, on both gateways, from a generator that Seed starts. Shares are of rows: whether a row
// has the flaw follows from Seed and io_id alone and is fixed when a version is made, so a version always reads the same and
// SetFaults flaws only the versions made after it.
type Faults struct {
	// HTTP429 answers status 429 with Retry-After: 1 and a text.
	HTTP429 Odds
	// HTTP502 answers status 502 with an HTML page, as a load balancer does.
	HTTP502 Odds
	// HTML200 answers status 200 with an HTML page, as a firewall's block page does.
	HTML200 Odds
	// CutBody breaks the connection in the middle of the answer.
	CutBody Odds
	// Reset resets the connection without an answer.
	Reset Odds
	// Stall holds the answer back for StallFor, default 30 seconds, then gives it.
	Stall    Odds
	StallFor time.Duration
	// Code100 to Code200 answer that code to a call that deserved none; UnknownCode one that no document names.
	Code100, Code110, Code150, Code190, Code199, Code200, UnknownCode Odds
	// NoHasNext leaves has_next out, TextHasNext writes it as a string.
	NoHasNext, TextHasNext Odds
	// SlowPages delays each page behind the tenth by this much for every page before it.
	SlowPages time.Duration
	// ClockSkew moves the ERP's clock: modified times, the Date header and the check of the caller's timestamp.
	ClockSkew time.Duration

	// WrongHasNext contradicts page_count, RepeatPage gives the rows of the page before, ShortPage drops the last third of a page
	// that has a successor. They lose rows without a sign in the same answer.
	WrongHasNext, RepeatPage, ShortPage Odds

	// Milliseconds is the share of rows whose modified has a fraction.
	Milliseconds float64
	// ZeroDates is the share of rows that write dates without value as year 1 or "".
	ZeroDates float64
	// TrailingBlank is the share of rows with a blank behind the status.
	TrailingBlank float64
	// NumbersAsText is the share of rows whose numbers are quoted.
	NumbersAsText float64
	// TextAsNumbers is the share of rows whose digit-only texts stand bare, so_id past 2^53 among them.
	TextAsNumbers float64
	// NoItems is the share of rows without items: null, or no such field.
	NoItems float64
	// Masked is the share of rows like those of Taobao: receiver masked or null, amounts null but buyer_paid_amount.
	Masked float64
	// ExtraFields is the share of rows with fields that no document names.
	ExtraFields float64
	// BadUTF8 is the share of rows with bytes that are not UTF-8.
	BadUTF8 float64
	// ControlCharacters is the share of rows with unescaped control characters inside strings, which strict parsers refuse.
	ControlCharacters float64
	// NoIdentity is the share of rows whose io_id is null. Ledger.Final leaves them out; Ledger.Nameless counts them.
	NoIdentity float64
}

// AllFaults is every fault that leaves the data whole: those of calls together at the rate (0 to 1) per call, those of rows on one
// row in a hundred each. Left out are WrongHasNext, RepeatPage and ShortPage, which corrupt a walk silently, NoIdentity, whose rows
// no ledger can match, and SlowPages and ClockSkew, which have no rate.
func AllFaults(rate float64) Faults {
	const share = 0.01
	f := Faults{
		Milliseconds: share, ZeroDates: share, TrailingBlank: share, NumbersAsText: share, TextAsNumbers: share, NoItems: share,
		Masked: share, ExtraFields: share, BadUTF8: share, ControlCharacters: share,
	}
	var whole []*Odds
	for _, c := range f.calls() {
		if !c.kind.corrupts() {
			whole = append(whole, c.odds)
		}
	}
	for _, odds := range whole {
		odds.Rate = rate / float64(len(whole))
	}
	return f
}

// fault names what strikes a call, as Ledger.Calls shows it.
type fault string

const (
	noFault      fault = ""
	http429      fault = "http 429"
	http502      fault = "http 502"
	html200      fault = "html 200"
	cutBody      fault = "cut body"
	reset        fault = "reset"
	stall        fault = "stall"
	code100      fault = "code 100"
	code110      fault = "code 110"
	code150      fault = "code 150"
	code190      fault = "code 190"
	code199      fault = "code 199"
	code200      fault = "code 200"
	unknownCode  fault = "unknown code"
	noHasNext    fault = "no has_next"
	textHasNext  fault = "text has_next"
	wrongHasNext fault = "wrong has_next"
	repeatPage   fault = "repeat page"
	shortPage    fault = "short page"
)

func (f fault) corrupts() bool { return f == wrongHasNext || f == repeatPage || f == shortPage }

type callFault struct {
	kind fault
	odds *Odds
}

func (f *Faults) calls() []callFault {
	return []callFault{
		{http429, &f.HTTP429},
		{http502, &f.HTTP502},
		{html200, &f.HTML200},
		{cutBody, &f.CutBody},
		{reset, &f.Reset},
		{stall, &f.Stall},
		{code100, &f.Code100},
		{code110, &f.Code110},
		{code150, &f.Code150},
		{code190, &f.Code190},
		{code199, &f.Code199},
		{code200, &f.Code200},
		{unknownCode, &f.UnknownCode},
		{noHasNext, &f.NoHasNext},
		{textHasNext, &f.TextHasNext},
		{wrongHasNext, &f.WrongHasNext},
		{repeatPage, &f.RepeatPage},
		{shortPage, &f.ShortPage},
	}
}

// draw picks the fault of one call: a counted one first, else by a single throw over all rates.
func (f *Faults) draw(rng *rand.Rand) fault {
	throw := rng.Float64()
	calls := f.calls()
	for _, c := range calls {
		if c.odds.Count > 0 {
			c.odds.Count--
			return c.kind
		}
	}
	for _, c := range calls {
		if throw < c.odds.Rate {
			return c.kind
		}
		throw -= c.odds.Rate
	}
	return noFault
}

func (f *Faults) validate() error {
	var sum float64
	for _, c := range f.calls() {
		if !isShare(c.odds.Rate) || c.odds.Count < 0 {
			return errors.New("odds of Faults out of range: a Rate lies between 0 and 1, a Count is not below 0")
		}
		sum += c.odds.Rate
	}
	if sum > 1+1e-9 {
		return errors.New("rates of Faults add up to more than 1, but only one fault strikes a call")
	}
	for _, q := range f.rows() {
		if !isShare(q.share) {
			return errors.New("share of rows in Faults out of range: it lies between 0 and 1")
		}
	}
	if f.StallFor < 0 || f.SlowPages < 0 {
		return errors.New("duration of Faults below zero: StallFor and SlowPages count from 0")
	}
	return nil
}
