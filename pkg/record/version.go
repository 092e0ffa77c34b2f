package record

import (
	"cmp"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// hashDigits is how many digits of the hash stand in a version's text when the row carries no TS.
const hashDigits = 16

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

// VersionText is the record's version as the header Jst-Version shows it: TS in decimal, else Modified in RFC 3339 (UTC, up to
// nanoseconds), a dot and the first 16 hex digits of Hash, since several changes may share a second.
func (r Record) VersionText() string {
	if r.Version.TS != 0 {
		return strconv.FormatInt(r.Version.TS, 10)
	}
	return r.Version.Modified.UTC().Format(time.RFC3339Nano) + "." + r.Hash.String()[:hashDigits]
}

// ParseVersion reads what VersionText writes. The version it returns lacks Modified when the text is a TS.
func ParseVersion(s string) (Version, error) {
	if ts, err := strconv.ParseInt(s, 10, 64); err == nil && ts > 0 {
		return Version{TS: ts}, nil
	}
	if dot := strings.LastIndexByte(s, '.'); dot >= 0 {
		digits, err := hex.DecodeString(s[dot+1:])
		modified, timeErr := time.Parse(time.RFC3339Nano, s[:dot])
		if err == nil && timeErr == nil && len(digits) == hashDigits/2 && !modified.IsZero() {
			return Version{Modified: modified.UTC()}, nil
		}
	}
	return Version{}, errors.New("read version: neither a row version nor a modification time with a hash; juliu did not write it")
}
