package sandbox

// quirk is a set of flaws of one version of a row.
type quirk uint16

const (
	quirkMilliseconds quirk = 1 << iota
	quirkZeroDates
	quirkTrailingBlank
	quirkNumbersAsText
	quirkTextAsNumbers
	quirkNoItems
	quirkMasked
	quirkExtraFields
	quirkBadUTF8
	quirkControls
	quirkNoIdentity
)

func (q quirk) has(flaw quirk) bool { return q&flaw != 0 }

type rowFault struct {
	flaw  quirk
	share float64
}

func (f *Faults) rows() []rowFault {
	return []rowFault{
		{quirkMilliseconds, f.Milliseconds},
		{quirkZeroDates, f.ZeroDates},
		{quirkTrailingBlank, f.TrailingBlank},
		{quirkNumbersAsText, f.NumbersAsText},
		{quirkTextAsNumbers, f.TextAsNumbers},
		{quirkNoItems, f.NoItems},
		{quirkMasked, f.Masked},
		{quirkExtraFields, f.ExtraFields},
		{quirkBadUTF8, f.BadUTF8},
		{quirkControls, f.ControlCharacters},
		{quirkNoIdentity, f.NoIdentity},
	}
}

// quirks are the flaws of a row; the same seed and io_id always have the same ones, and a larger share only adds rows.
func (f *Faults) quirks(seed uint64, ioID int64) quirk {
	var flaws quirk
	for _, r := range f.rows() {
		if r.share > 0 && fraction(seed, ioID, uint64(r.flaw)) < r.share {
			flaws |= r.flaw
		}
	}
	return flaws
}

// mix spreads seed, key and purpose over 64 bits (the finaliser of splitmix64), for choices that must be cheap and repeatable.
func mix(seed uint64, key int64, purpose uint64) uint64 {
	x := seed ^ uint64(key)*0x9e3779b97f4a7c15 ^ purpose*0xd1342543de82ef95 //nolint:gosec // Wrapping is the point.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fraction is mix as a number in [0, 1).
func fraction(seed uint64, key int64, purpose uint64) float64 {
	return float64(mix(seed, key, purpose)>>11) / (1 << 53)
}
