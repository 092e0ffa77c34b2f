package loader

import (
	"context"
	"testing"

	"juliu/pkg/stream"
)

func TestThereIsRoomForWhatALoaderMayHold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		down  bool
		held  int
		bytes int
		want  int
	}{
		"all of it at first":                         {want: 100},
		"the rest":                                   {held: 75, want: 25},
		"none for less than a quarter":               {held: 76, want: 24},
		"none while the sink is down":                {held: 1, down: true},
		"for a try when nothing is left in hand":     {down: true, want: 100},
		"none when the rows take too much memory":    {held: 2, bytes: heldBytes / 2},
		"some when the rows take as much as allowed": {held: 2, bytes: heldBytes/2 - 1, want: 98},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeld(100)
			for i := range test.held {
				h.add(stream.Delivery{Sequence: uint64(i), Size: test.bytes})
			}
			h.setDown(test.down)
			if got := h.free(); got != test.want {
				t.Errorf("room for %d, want %d", got, test.want)
			}
			ended, end := context.WithCancel(t.Context())
			end()
			if got := h.room(ended); got != 0 {
				t.Errorf("room for %d after the end, want 0", got)
			}
		})
	}
}

func TestRoomIsFoundWhenSomethingIsSettledOrTheSinkIsBack(t *testing.T) {
	t.Parallel()
	h := newHeld(4)
	for i := range 4 {
		h.add(stream.Delivery{Sequence: uint64(i)})
	}
	h.setDown(true)
	found := make(chan int)
	go func() { found <- h.room(t.Context()) }()
	h.remove(stream.Delivery{Sequence: 1})
	h.remove(stream.Delivery{Sequence: 2})
	h.setDown(false)
	if got := <-found; got != 2 {
		t.Errorf("room for %d, want 2", got)
	}
}
