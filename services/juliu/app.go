package juliu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"juliu/pkg/embednats"
	"juliu/pkg/logging"
	"juliu/pkg/process"
	"juliu/pkg/stream"
)

// App is the command with everything that it takes from outside.
type App struct {
	// In answers questions; it is read only when In and Out are terminals.
	In io.Reader
	// Out takes results, Err takes notes and errors.
	Out, Err io.Writer
	// Now is the clock.
	Now func() time.Time

	// patience is how long backfill waits for an extractor; 0 means planPatience. Tests shorten it.
	patience time.Duration
}

// Run carries out one command line (without the program's name) and returns the exit code: 0 done, 1 failed, 2 bad usage or
// configuration, 3 fenced. An error is told on Err in one line that says what to do.
func (a App) Run(ctx context.Context, args []string) int {
	started := false
	root := a.root(&started) //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case !started:
		_, _ = fmt.Fprintf(a.Err, "juliu: %s\n", misuse(cmd, err))
		return process.ExitUsage
	default:
		_, _ = fmt.Fprintf(a.Err, "juliu: %s\n", printable(err.Error()))
		return process.ExitCode(err)
	}
}

const rootHelp = `juliu takes every outbound order of a Jushuitan (聚水潭) merchant onto a NATS JetStream stream, and from there into a sink.

Try it, nothing else needed:
  juliu up                 a NATS server, a simulated ERP, the extractor and the loader, in one process
  juliu read --last 5      the newest orders on the stream
  juliu status --watch     how fresh the stream is and how the loaders keep up
  juliu doctor             what is wrong, and what cures it
  juliu replay --help      have the loaders load stored orders again
  juliu dlq groups         why orders could not be loaded, and what to do with them

With a real ERP set JST_BASE_URL, JST_APP_KEY, JST_APP_SECRET, JST_ACCESS_TOKEN and EXTRACTOR_START (docs/configuration.md lists all settings);
then also:
  juliu audit --from 24h   prove that the stream has every order of the ERP
  juliu backfill --help    read past orders again, or orders by number`

// Command is the tree of all commands, for the pages of docs.
func (a App) Command() *cobra.Command { return a.root(new(bool)) }

// root builds the command tree; started is set once the command line was understood.
func (a App) root(started *bool) *cobra.Command {
	root := &cobra.Command{
		Use:              "juliu",
		Short:            "Jushuitan orders onto NATS JetStream, and into a sink",
		Long:             rootHelp,
		Args:             cobra.NoArgs,
		SilenceUsage:     true,
		SilenceErrors:    true,
		PersistentPreRun: func(*cobra.Command, []string) { *started = true },
		RunE:             func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.AddCommand(a.up(), a.status(), a.doctor(), a.read(), a.backfill(), a.audit(), a.replay(), a.jobs(), a.dlq(), a.provision(), a.sandbox(), a.healthcheck(), a.completion(), a.version())
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp) // files only where a file is meant
	a.complete(root)
	return root
}

// logger writes to Err.
func (a App) logger(cfg config) (logrus.FieldLogger, error) {
	log, err := logging.New(cfg.logLevel, cfg.logFormat, a.Err)
	if err != nil {
		return nil, fmt.Errorf("set up logging: %w", err)
	}
	return log, nil
}

// connect finds a running up by its data folder, else the server that the environment names.
func (a App) connect(ctx context.Context, data string) (*stream.Conn, error) {
	cfg, err := loadConfig()
	if err != nil {
		return nil, err
	}
	log, err := a.logger(cfg)
	if err != nil {
		return nil, err
	}
	url, missing := embednats.FindURL(data)
	switch {
	case missing == nil:
		cfg.nats = stream.Config{URL: url}
	case !errors.Is(missing, embednats.ErrNotRunning):
		return nil, missing
	}
	cfg.nats.Name = "juliu"
	conn, err := stream.Connect(ctx, cfg.nats, log)
	if unreachable, ok := errors.AsType[*stream.ConnectError](err); ok && missing != nil && unreachable.Code == process.ExitFailed {
		return nil, fmt.Errorf("%w, or name the data folder of a running juliu up by --data (none runs on %s)", err, data)
	}
	return conn, err
}

// usageError is a flag's value that cannot be used.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// ExitCode is 2, bad usage.
func (usageError) ExitCode() int { return process.ExitUsage }
