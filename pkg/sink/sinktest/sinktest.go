// Package sinktest is the suite that every sink must pass. A sink's own test is one call:
//
//	func TestSink(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Subject { … })
//	}
//
// It proves the contract of sink.Sink as the loader relies on it. It does not prove what a sink does when its other side fails; each
// sink tests that itself.
package sinktest

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/sink"
)

// Keeping is what a sink keeps of what is written to it.
type Keeping int

const (
	// Nothing is kept: the sink only counts, or passes on.
	Nothing Keeping = iota
	// All is kept, every version of every key, repetitions too.
	All
	// Newest is kept: one version for each source, resource and key, the newest by Version, then by Sequence.
	Newest
)

// Stored is a record as the sink kept it.
type Stored struct {
	// Source, Resource and Key identify it.
	Source, Resource, Key string
	// Sequence is its place on the stream, which tells its versions apart.
	Sequence uint64
	// Payload is the typed row; nil when the sink does not keep it whole.
	Payload proto.Message
}

// Subject is a sink under test on storage of its own.
type Subject struct {
	// Sink is open; the suite closes it.
	Sink sink.Sink
	// Keeps says what it keeps.
	Keeps Keeping
	// Read returns what it has kept so far, in any order. It may be nil when Keeps is Nothing.
	Read func(t *testing.T) []Stored
}

// Run runs the suite. It calls open for each test, with the test's own t; the tests run in parallel.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Subject){
		"a batch is stored whole":                          batchIsStored,
		"a batch as large as the sink takes is stored":     fullBatchIsStored,
		"the same batch again changes nothing":             repetitionChangesNothing,
		"whatever the order of versions the newest stays":  newestStays,
		"of one key in one batch the last stays":           lastOfBatchStays,
		"an equal version with a later place replaces":     laterPlaceReplaces,
		"writers of different keys do not disturb another": writersAreIndependent,
		"a large record is stored":                         largeRecordIsStored,
		"awkward text is stored as it is":                  awkwardTextIsStored,
		"an ended context is told and nothing is broken":   endedContextIsTold,
		"closing twice is fine":                            closingTwiceIsFine,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subject := open(t)
			t.Cleanup(func() {
				if err := subject.Sink.Close(t.Context()); err != nil && t.Context().Err() == nil {
					t.Errorf("close: %v", err)
				}
			})
			test(t, subject)
		})
	}
}
