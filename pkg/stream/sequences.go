package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// sequences is a set of sequences, one bit for each from the first on. The zero value is empty. They are added in ascending order.
type sequences struct {
	first uint64
	bits  []byte
}

// add adds a sequence that is above all others.
func (s *sequences) add(sequence uint64) {
	if len(s.bits) == 0 {
		s.first = sequence
	}
	at := sequence - s.first
	for uint64(len(s.bits)) <= at/8 {
		s.bits = append(s.bits, 0)
	}
	s.bits[at/8] |= 1 << (at % 8)
}

// has tells whether a sequence is in the set.
func (s *sequences) has(sequence uint64) bool {
	at := sequence - s.first // below first it is huge
	return at/8 < uint64(len(s.bits)) && s.bits[at/8]&(1<<(at%8)) != 0
}

// pack is the set as bytes, which unpack reads.
func (s *sequences) pack() ([]byte, error) {
	if len(s.bits) > MaxPayload-8 {
		return nil, fmt.Errorf("%w: the records chosen lie too far apart on the stream; choose a shorter period", ErrTooLarge)
	}
	return compress(append(binary.BigEndian.AppendUint64(nil, s.first), s.bits...))
}

func unpackSequences(data []byte) (*sequences, error) {
	plain, err := decompress(data)
	if err == nil && len(plain) < 8 {
		err = errors.New("too short")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the list of the records chosen: %w", errUnreadable, err)
	}
	return &sequences{first: binary.BigEndian.Uint64(plain), bits: plain[8:]}, nil
}
