// Package sinktest is the suite that every sink must pass. A sink's own test is one call:
//
//	func TestSink(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Subject { … })
//	}
//
// It proves the contract of sink.Sink as the loader relies on it, and writes as the loader does. What goes wrong at the sink's other
// side it proves as far as the Subject lets it: each failure that can happen to a sink is one function of its Subject.
package sinktest

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
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

// Subject is a sink under test on storage of its own. The functions from Reject on bring about one failure each; nil says that this
// failure cannot happen to the sink.
type Subject struct {
	// Sink is open; the suite closes it.
	Sink sink.Sink
	// Keeps says what it keeps.
	Keeps Keeping
	// Read returns what it has kept so far, in any order. It may be nil when Keeps is Nothing.
	Read func(t *testing.T) []Stored

	// Reject returns the record changed into one that this sink will never take. It must leave what the record shares with others,
	// e.g. Payload, as it is: clone before changing.
	Reject func(r record.Record) record.Record
	// Down makes the other side unable to take anything, until what it returns is called.
	Down func(t *testing.T) (up func())
	// LoseAnswer lets the next Write take effect and its answer get lost on the way back.
	LoseAnswer func(t *testing.T)
	// Second opens one more sink on the same storage, as a second loader does.
	Second func(t *testing.T) sink.Sink
}

// Run runs the suite. It calls open for each test, with the test's own t; the tests run in parallel.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Subject){
		"a batch is stored whole":                               batchIsStored,
		"a batch as large as the sink takes is stored":          fullBatchIsStored,
		"the same batch again changes nothing":                  repetitionChangesNothing,
		"in any order versions by ts end the same":              byTS.endTheSame,
		"in any order versions by time end the same":            byTime.endTheSame,
		"in any order equal versions end the same":              byPlace.endTheSame,
		"of one key in one batch the last stays":                lastOfBatchStays,
		"a forced write replaces an equal version and no newer": forcedWriteReplaces,
		"writers of different keys do not disturb another":      writersAreIndependent,
		"two loaders with one key end with the newest":          loadersAgree,
		"a large record is stored":                              largeRecordIsStored,
		"awkward text is stored as it is":                       awkwardTextIsStored,
		"exactly the records that the sink refuses are refused": refusedAreNamed,
		"a lost answer does no harm":                            lostAnswerIsHarmless,
		"an outage is told and loses nothing":                   outageLosesNothing,
		"an ended context is told and nothing is broken":        endedContextIsTold,
		"a write that is cut off breaks nothing":                cutOffWriteIsHarmless,
		"closing twice is fine":                                 closingTwiceIsFine,
		"a closed sink takes nothing":                           closedTakesNothing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subject := open(t)
			t.Cleanup(func() {
				if err := subject.Sink.Close(context.WithoutCancel(t.Context())); err != nil { // the test's own has ended
					t.Errorf("close: %v", err)
				}
			})
			test(t, subject)
		})
	}
}
