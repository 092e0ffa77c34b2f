package record

import (
	"cmp"
	"time"
)

// Version orders the records of one key. A source gives TS in every row or in none.
type Version struct {
	// TS is the vendor's row version, which grows with each change; 0 when the row carries none.
	TS int64
	// Modified is the vendor's modification time in UTC; zero when the row carries none.
	Modified time.Time
}

// IsZero reports that the row says nothing about its version; such a row cannot be ordered and is dead-lettered.
func (v Version) IsZero() bool { return v.TS == 0 && v.Modified.IsZero() }

// Compare returns -1 when v is older than w, +1 when it is newer, 0 when they are equal. TS decides when both have one, else Modified.
func (v Version) Compare(w Version) int {
	if v.TS != 0 && w.TS != 0 {
		return cmp.Compare(v.TS, w.TS)
	}
	return v.Modified.Compare(w.Modified)
}
