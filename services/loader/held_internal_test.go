package loader

import (
	"context"
	"testing"
	"testing/synctest"

	"juliu/pkg/stream"
)

// A replay waits for the live flow, but not for what another loader has taken.
func TestOthersWaitUntilTheFlowIsCalm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare, calm func(*held)
		own           bool
	}{
		"nothing is there":                    {},
		"more waits on the stream":            {prepare: func(h *held) { h.add(stream.Delivery{Pending: 1}) }, calm: func(h *held) { h.add(stream.Delivery{Sequence: 1}); h.remove(stream.Delivery{}) }},
		"another has taken what waited":       {prepare: func(h *held) { h.add(stream.Delivery{Pending: 1}) }, calm: func(h *held) { h.begin(); h.begin() }},
		"half of what may be is in hand":      {prepare: func(h *held) { h.add(stream.Delivery{}); h.add(stream.Delivery{Sequence: 1}) }, calm: func(h *held) { h.remove(stream.Delivery{}) }},
		"the sink is down":                    {prepare: func(h *held) { h.setDown(true) }, calm: func(h *held) { h.setDown(false) }},
		"the sink of the live flow alone is":  {prepare: func(h *held) { h.setDown(true) }, own: true},
		"the live sink goes down meanwhile":   {prepare: func(h *held) { h.add(stream.Delivery{Pending: 1}) }, calm: func(h *held) { h.setDown(true) }, own: true},
		"more waits, but for a sink in need ": {prepare: func(h *held) { h.add(stream.Delivery{Pending: 1}); h.setDown(true) }, own: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHeld(4)
				if test.prepare != nil {
					test.prepare(h)
				}
				quiet := make(chan bool, 1)
				ctx, end := context.WithCancel(t.Context())
				go func() { quiet <- h.quiet(ctx, test.own) }()
				synctest.Wait()
				if test.calm != nil {
					select {
					case <-quiet:
						t.Fatal("nobody waits")
					default:
					}
					test.calm(h)
				}
				if !<-quiet {
					t.Error("quiet reports an end")
				}
				h.add(stream.Delivery{Sequence: 9, Pending: 1})
				h.setDown(false)
				go func() { quiet <- h.quiet(ctx, test.own) }()
				end()
				if <-quiet {
					t.Error("quiet reports calm at the end")
				}
			})
		})
	}
}

func TestTheFlowIsSeenUntilAPullBringsNothing(t *testing.T) {
	t.Parallel()
	h := newHeld(4)
	for i, step := range []struct {
		do   func()
		want bool
	}{
		{h.begin, false}, {func() { h.add(stream.Delivery{}) }, true}, {func() { h.remove(stream.Delivery{}) }, true}, {h.begin, false},
	} {
		if step.do(); h.flows() != step.want {
			t.Errorf("step %d: it flows is %v, want %v", i, h.flows(), step.want)
		}
	}
}

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
		"less than a quarter":                        {held: 76, want: 24},
		"none while the sink is down":                {held: 25, down: true},
		"for a try when little is left in hand":      {held: 24, down: true, want: 76},
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
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(8)
		for i := range 8 {
			h.add(stream.Delivery{Sequence: uint64(i)})
		}
		found := make(chan int, 1)
		go func() { found <- h.room(t.Context()) }()
		for _, step := range []struct {
			what string
			do   func()
			want int
		}{
			{"nothing is settled", func() {}, 0},
			{"one is settled, which is not worth a pull", func() { h.remove(stream.Delivery{Sequence: 1}) }, 0},
			{"the sink is down, and two are settled", func() { h.setDown(true); h.remove(stream.Delivery{Sequence: 2}) }, 0},
			{"the sink is back", func() { h.setDown(false) }, 2},
		} {
			step.do()
			synctest.Wait()
			got := 0
			select {
			case got = <-found:
			default:
			}
			if got != step.want {
				t.Errorf("%s: room for %d, want %d", step.what, got, step.want)
			}
		}
	})
}
