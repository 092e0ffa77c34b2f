package process

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Service is a service as a program. Every field is required but HTTPAddr.
type Service struct {
	// Name is the program's name.
	Name string
	// Help is what --help prints after the usage line.
	Help string
	// Out takes the version, the help and the log; Err takes the error that ends the program.
	Out, Err io.Writer
	// HTTPAddr is the value of HTTP_ADDR, for `healthcheck`; DefaultHTTPAddr when empty.
	HTTPAddr string
	// Grace is how long the service may go on with what it has in hand after it was asked to stop.
	Grace time.Duration
	// Run is the service, see Run.
	Run func(intake, work context.Context) error
}

// Main carries out a service's command line (without the program's name) and returns the exit code. Without arguments it runs the
// service under Run; `healthcheck` asks the running service on this host whether it is ready; `--version` and `--help` print. An
// error is written to Err with the program's name before it, and with what to do when the error says so.
func Main(ctx context.Context, s Service, args []string) int {
	var err error
	switch {
	case len(args) == 0:
		err = Run(ctx, s.Grace, s.Run)
	case len(args) > 1:
		err = usageError{s.Name}
	default:
		err = s.command(ctx, args[0])
	}
	if err != nil {
		_, _ = fmt.Fprintf(s.Err, "%s: %v\n", s.Name, err)
	}
	return ExitCode(err)
}

func (s Service) command(ctx context.Context, name string) error {
	switch name {
	case "healthcheck":
		return Healthcheck(ctx, s.HTTPAddr)
	case "version", "--version":
		_, err := fmt.Fprintln(s.Out, s.Name, Version())
		return err //nolint:wrapcheck // a closed standard output needs no more words
	case "help", "--help", "-h":
		_, err := fmt.Fprintf(s.Out, "Usage: %s [healthcheck | --version | --help]\n\n%s", s.Name, s.Help)
		return err //nolint:wrapcheck // a closed standard output needs no more words
	default:
		return usageError{s.Name}
	}
}

// usageError is a command line that is not understood.
type usageError struct{ name string }

// Error says what is.
func (e usageError) Error() string {
	return fmt.Sprintf("arguments not understood; run %s without any (settings come from the environment), or see %s --help", e.name, e.name)
}

// ExitCode is ExitUsage.
func (usageError) ExitCode() int { return ExitUsage }
