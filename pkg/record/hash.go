package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Hash is a SHA-256 of a row's content: every member, also those that the schema does not know. Rows that differ in white space,
// in the order of members, in how a text is escaped, in whether a number or bool is quoted, or in whether an empty value is null, ""
// or absent have the same hash; of a member given twice the last one counts. Any other difference changes it.
type Hash [sha256.Size]byte

// String is the hash in lower-case hex, 64 characters.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String writes.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != hex.EncodedLen(len(h)) {
		return Hash{}, fmt.Errorf("read hash: %d characters instead of %d", len(s), hex.EncodedLen(len(h)))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("read hash: %w", err)
	}
	return h, nil
}

// hash is the SHA-256 of the canonical form: each value is a tag, a length and its content, so no two rows share a form.
func (t tree) hash() Hash {
	c := canon{tree: t, out: make([]byte, 0, 32*len(t)), members: make([]int, 0, len(t))}
	c.value(0)
	return sha256.Sum256(c.out)
}

type canon struct {
	tree    tree
	out     []byte
	members []int // of the objects being written, those of the innermost last
}

func (c *canon) value(at int) {
	switch c.tree[at].kind {
	case object:
		c.object(at)
	case array:
		count := 0
		for range c.tree.children(at) {
			count++
		}
		c.head('a', count)
		for i := range c.tree.children(at) {
			c.value(i)
		}
	default:
		c.text('s', c.tree[at].text)
	}
}

// object writes the members that say something, by name.
func (c *canon) object(at int) {
	mark := len(c.members)
	for i := range c.tree.children(at) {
		c.members = append(c.members, i)
	}
	mine := c.members[mark:]
	slices.SortFunc(mine, func(i, j int) int {
		if order := strings.Compare(c.tree[i].name, c.tree[j].name); order != 0 {
			return order
		}
		return j - i // of one name, the last comes first and stays
	})
	mine = slices.CompactFunc(mine, func(i, j int) bool { return c.tree[i].name == c.tree[j].name })
	mine = slices.DeleteFunc(mine, func(i int) bool { return c.tree[i].blank() })
	c.head('o', len(mine))
	for _, i := range mine {
		c.text('m', c.tree[i].name)
		c.value(i)
	}
	c.members = c.members[:mark]
}

func (c *canon) text(tag byte, s string) {
	c.head(tag, len(s))
	c.out = append(c.out, s...)
}

func (c *canon) head(tag byte, size int) {
	c.out = binary.AppendUvarint(append(c.out, tag), uint64(size)) //nolint:gosec // a length is never negative
}
