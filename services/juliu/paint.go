package juliu

import "io"

// colour is the code of a text's colour on a terminal (ECMA-48, SGR).
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	grey   colour = "90"
)

// painter colours texts on a terminal, and leaves them alone elsewhere.
type painter bool

func painterFor(out io.Writer) painter {
	_, ok := terminal(out)
	return painter(ok)
}

func (p painter) paint(c colour, text string) string {
	if !p || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
