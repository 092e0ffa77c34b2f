package stream

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestASetHasWhatWasAddedAlsoWhenPacked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.Uint64Range(1, 300), 1, 60).Draw(t, "steps")
		at := rapid.Uint64Range(0, 1<<40).Draw(t, "before")
		first := at
		set, added := &sequences{}, map[uint64]bool{}
		for _, step := range steps {
			at += step
			set.add(at)
			added[at] = true
		}
		data, err := set.pack()
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := unpackSequences(data)
		if err != nil {
			t.Fatal(err)
		}
		for n := first; n <= at+20; n++ {
			if set.has(n) != added[n] || unpacked.has(n) != added[n] {
				t.Fatalf("%d: %v and %v, want %v", n, set.has(n), unpacked.has(n), added[n])
			}
		}
	})
}

func TestADamagedSetIsAnError(t *testing.T) {
	t.Parallel()
	short, err := compress([]byte("short"))
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{nil, []byte("no zstd"), short} {
		if set, err := unpackSequences(data); err == nil {
			t.Errorf("%q is read as %+v", data, set)
		}
	}
}

func TestASetThatIsTooWideIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := (&sequences{bits: make([]byte, MaxPayload)}).pack(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("packed: %v", err)
	}
}
