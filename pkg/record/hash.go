package record

import "encoding/hex"

// Hash is a SHA-256 of a row's content.
type Hash [32]byte

// String is the hash in lower-case hex, 64 characters.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }
