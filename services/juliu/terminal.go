package juliu

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// terminal is the file behind a reader or writer that is a terminal, nil for any other.
func terminal(stream any) (*os.File, bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil, false
	}
	return file, true
}

// every is how often a command that goes on says how it stands: each second on a terminal; elsewhere (a log file) every ten.
func (a App) every() time.Duration {
	if _, ok := terminal(a.Out); ok {
		return time.Second
	}
	return 10 * time.Second
}

// ask asks a question on the terminal; nil means yes. The question goes to notes.
func (a App) ask(ctx context.Context, notes io.Writer, question string) error {
	_, reads := terminal(a.In)
	if _, shows := terminal(a.Out); !reads || !shows {
		return usageError{"not started: there is no terminal to ask on; add --yes to start without asking"}
	}
	_, _ = fmt.Fprint(notes, question+" [y/N] ")
	answers := make(chan string, 1)
	go func() { // a terminal's read cannot be called off: it ends with the line, or with the process
		line, _ := bufio.NewReader(a.In).ReadString('\n')
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return errors.New("interrupted; nothing was done")
	case answer := <-answers:
		if answer != "y" && answer != "yes" {
			return errors.New("not started, as answered")
		}
		return nil
	}
}
