package juliu_test

import (
	"testing"

	"juliu/pkg/jushuitan/sandbox"
)

// On a terminal the status is coloured, and a watched one takes the place of the one before until Ctrl-C.
func TestTheStatusOnATerminal(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	screen := g.onTerminal(t, "status")
	screen.expect("\x1b[1mjuliu status\x1b[0m")
	screen.expect("dead letters")
	screen.ends(0)

	screen = g.onTerminal(t, "status", "--watch")
	screen.expect("\x1b[H\x1b[J")
	screen.expect("\x1b[H\x1b[J")
	screen.expect("dead letters")
	screen.types("\x03")
	screen.ends(0)
}
