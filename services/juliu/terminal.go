package juliu

import (
	"os"
	"time"

	"golang.org/x/term"
)

// terminal is the file behind a reader or writer that is a terminal.
func terminal(stream any) (*os.File, bool) {
	file, ok := stream.(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// every is how often a command that goes on says how it stands: each second on a terminal; elsewhere (a log file) every ten.
func (a App) every() time.Duration {
	if _, ok := terminal(a.Out); ok {
		return time.Second
	}
	return 10 * time.Second
}
