package record

import "iter"

type kind uint8

const (
	null    kind = iota
	text         // a string
	literal      // a number, true or false
	word         // a bare word that JSON does not know, such as NaN
	object
	array
)

// node is one value of a row. Strings in it share the row's memory unless they had escapes.
type node struct {
	kind kind
	name string // its name in the object that holds it
	text string // what a string says, or a literal as written
	next int    // index of the first node behind this one and all that it holds
}

// blank reports a value that says nothing: the vendor writes null and "" alternately for the same emptiness.
func (n node) blank() bool {
	return n.kind == null || n.kind == text && n.text == ""
}

// tree is a row, each value before the values that it holds; the row itself is at 0.
type tree []node

// children yields the indexes of the values directly in the object or array at an index, in the row's order.
func (t tree) children(at int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := at + 1; i < t[at].next; i = t[i].next {
			if !yield(i) {
				return
			}
		}
	}
}
