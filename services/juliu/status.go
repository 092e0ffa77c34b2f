package juliu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

const statusHelp = `status shows on one screen how all is going: for each source how fresh the newest order is, where the checkpoint stands, what the last audit
found, who reads it and how much of the ERP's quota that takes; the stream's size against its limits; the loaders' backlog and how long it
will take; rates; dead letters; jobs. It takes nothing and changes nothing. Ages are by the server's clock. Rates come from two looks half a
second apart; with --watch, which goes on until Ctrl-C, from two screens.

It finds a running 'juliu up' by its data folder (--data), else it connects by NATS_URL. With --output json it prints one object (with --watch
one every two seconds, a line each): at, server, up, sources[] (source, resource, newest, checkpoint, lease, quota, audit), stream, loaders,
rates, dead_letters, jobs[]. Times are RFC 3339 in UTC, spans are in seconds; what is not known is null. Fields are added, never renamed.

Exit codes: 0 shown, 1 the server cannot be reached, 2 bad usage or not provisioned.`

const (
	// between is how far apart the two looks of one answer are.
	between = 500 * time.Millisecond
	// redraw is how often --watch looks.
	redraw = 2 * time.Second
	// clearScreen goes to the top left and clears what is below (ECMA-48, CUP and ED).
	clearScreen = "\x1b[H\x1b[J"
)

// statusFlags are the flags of status.
type statusFlags struct {
	data, output string
	watch        bool
}

func (a App) status() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show how fresh the stream is and how the loaders keep up",
		Long:    statusHelp,
		Example: "  juliu status\n  juliu status --watch\n  juliu status --output json | jq '.sources[].newest.age_seconds'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.statusNow(ctx, f)
		},
	}
	deskFlags(cmd.Flags(), &f.data, &f.output)
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "look again every two seconds until Ctrl-C")
	return cmd
}

func (a App) statusNow(ctx context.Context, f statusFlags) error {
	d, err := a.openDesk(ctx, f.data, f.output)
	if err != nil {
		return err
	}
	defer d.conn.Close()
	last, err := stream.TakeSnapshot(ctx, d.conn)
	for wait := between; err == nil; wait = redraw {
		if !sleep(ctx, wait) {
			return nil
		}
		var next look
		if next, err = d.look(ctx); err != nil {
			break
		}
		if err = d.show(statusOf(last, next), f.watch); err != nil || !f.watch {
			return err
		}
		last = next.stream
	}
	if ctx.Err() != nil && f.watch {
		return nil
	}
	return err
}

// show prints one answer; on a terminal a watched one takes the place of the one before.
func (d desk) show(v statusLine, watched bool) error {
	if d.json {
		if err := json.NewEncoder(d.app.Out).Encode(v); err != nil {
			return fmt.Errorf("print the status: %w", err)
		}
		return nil
	}
	text := v.table(painterFor(d.app.Out))
	if _, ok := terminal(d.app.Out); ok && watched {
		text = clearScreen + text
	}
	_, err := fmt.Fprint(d.app.Out, text)
	return err //nolint:wrapcheck // a closed standard output needs no more words
}

// isUp reports that a juliu up holds the data folder, which runs extractor and loader without a lease.
func isUp(data string) (bool, error) {
	_, err := embednats.FindURL(data)
	if errors.Is(err, embednats.ErrNotRunning) {
		return false, nil
	}
	return err == nil, err
}

// sleep waits, and reports false when ctx ended first.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
