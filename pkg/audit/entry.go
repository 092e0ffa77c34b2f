// Package audit is the proof of completeness: what one side holds is compared with what another one should hold, each difference is named
// by id, and the result is a report that can be handed on. It compares and writes; who reads the sides, hands in what they hold.
package audit

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"juliu/pkg/record"
)

// Kind is what is wrong with one key.
type Kind string

// The kinds of differences. All but Extra are gaps: something should be stored and is not.
const (
	// Missing is not stored at all.
	Missing Kind = "missing"
	// Stale is stored in an older version.
	Stale Kind = "stale"
	// Altered is stored in the same version with other content.
	Altered Kind = "altered"
	// Extra is stored, and the other side does not show it anywhere. Nothing is lost, so it is named and left as it is.
	Extra Kind = "extra"
)

// Entry is what a side holds of a key: its newest version.
type Entry struct {
	Key     string
	Shop    string
	Version record.Version
	// Mark is the beginning of the content hash, see MarkOf: 64 bits tell two contents of one version of one key apart.
	Mark uint64
	// Sequence is its place on the stream, where the side knows it.
	Sequence uint64
	// Broken says that what is stored contradicts itself, whatever version it claims.
	Broken bool
}

// MarkOf is the beginning of a content hash.
func MarkOf(hash record.Hash) uint64 { return binary.BigEndian.Uint64(hash[:]) }

// EntryOf is the entry of a record.
func EntryOf(r record.Record) Entry {
	return Entry{Key: r.Key, Shop: r.Shop, Version: r.Version, Mark: MarkOf(r.Hash), Sequence: r.Sequence}
}

// Judge holds what is stored of a key against what should be; stored is nil when nothing is. It answers "" when all is well: also when
// something newer is stored.
func Judge(want Entry, stored *Entry) Kind {
	if stored == nil {
		return Missing
	}
	switch order := want.Version.Compare(stored.Version); {
	case order > 0:
		return Stale
	case stored.Broken, order == 0 && want.Mark != stored.Mark:
		return Altered
	default:
		return ""
	}
}

// Difference is one key with which something is wrong.
type Difference struct {
	// In names the side that is wrong: Stream, or the sink.
	In   string `json:"in"`
	Kind Kind   `json:"kind"`
	// Key is the vendor's number, e.g. the io_id.
	Key  string `json:"key"`
	Shop string `json:"shop_id,omitempty"`
	// Modified is when the version was modified that should be stored; that of an Extra is the stored one's.
	Modified time.Time `json:"modified,omitzero"`
	// Repaired says that it was stored anew.
	Repaired bool `json:"repaired"`
}

// Stream is the side of the stream.
const Stream = "stream"

// Differ says what is wrong with an entry.
func Differ(in string, kind Kind, e Entry) Difference {
	return Difference{In: in, Kind: kind, Key: e.Key, Shop: e.Shop, Modified: e.Version.Modified}
}

// Gap says that something should be stored and is not.
func (d Difference) Gap() bool { return d.Kind != Extra && !d.Repaired }

// Compare names what is wrong with a side that should hold want, by key; both hold a key at most once.
func Compare(in string, want, stored map[string]Entry) []Difference {
	var all []Difference
	for key, w := range want {
		have, ok := stored[key]
		kind := Missing
		if ok {
			kind = Judge(w, &have)
		}
		if kind != "" {
			all = append(all, Differ(in, kind, w))
		}
	}
	for key, have := range stored {
		if _, ok := want[key]; !ok {
			all = append(all, Differ(in, Extra, have))
		}
	}
	Sort(all)
	return all
}

// Sort orders differences by side, time and key, so that equal data make equal reports.
func Sort(all []Difference) {
	slices.SortFunc(all, func(a, b Difference) int {
		return cmp.Or(
			cmp.Compare(later(a.In), later(b.In)), cmp.Compare(a.In, b.In), a.Modified.Compare(b.Modified),
			cmp.Compare(len(a.Key), len(b.Key)), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Kind, b.Kind),
		)
	})
}

// later puts the stream before the sinks.
func later(in string) int {
	if in == Stream {
		return 0
	}
	return 1
}
