// Package record is the business object on its way from the ERP to a sink: its identity, its version, its payload typed and as
// received, and its form on the wire.
package record

import (
	"hash/fnv"
	"time"

	"google.golang.org/protobuf/proto"
)

// Partitions is how many partitions a shop's records are spread over. It is part of the wire contract and never changes.
const Partitions = 16

// Record is one version of one business object.
type Record struct {
	// Source names the merchant's account (EXTRACTOR_SOURCE).
	Source string
	// Resource is the kind of object, e.g. "sales-out".
	Resource string
	// Shop is the vendor's shop_id in decimal; "0" when the row names none.
	Shop string
	// Key is the vendor's identity of the object within Source; for sales-out the io_id in decimal.
	Key string
	// Version tells which of two records of one key is newer.
	Version Version
	// FetchedAt is when the row was received.
	FetchedAt time.Time
	// Hash identifies the content; equal hashes mean the row did not change.
	Hash Hash
	// Payload is the typed row, e.g. *jushuitanv1.SalesOutOrder.
	Payload proto.Message
	// Raw is the row exactly as received.
	Raw []byte
	// Surprises are the vendor field names whose values did not fit Payload; those values stand in Raw alone.
	Surprises []string
	// Sequence is the record's place on the stream, 0 before it is stored. It breaks ties between equal versions; it is not itself a
	// version, because a server that lost its tail hands out the same numbers again.
	Sequence uint64
	// Published is when the server stored the record; zero before.
	Published time.Time
}

// Partition is the partition of a key, 0 to Partitions-1: FNV-1a of its bytes, modulo Partitions.
func Partition(key string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum64() % Partitions)
}
