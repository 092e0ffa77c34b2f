package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"juliu/pkg/chaos"
)

// App is what the program has of the world.
type App struct {
	Out, Err io.Writer
	Now      func() time.Time
	// Self is the path of the program, which is also the NATS server, the ERP and the receiver of a run.
	Self string
}

// errNotHeld means that an invariant was broken, or that nothing was found to judge one by.
var errNotHeld = errors.New("not held; the history is in the folder named above, and the seed repeats the faults")

// Main carries out a command line and returns the exit code: 0 all held, 1 not, or the run failed.
func (a App) Main(ctx context.Context, args []string) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "chaos", Short: "Disturb juliu and judge what is left", SilenceUsage: true, SilenceErrors: true}
	root.SetArgs(args)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	//nolint:contextcheck // cobra hands the context to each
	root.AddCommand(a.runCommand(), a.check(), a.schedule(), a.nats(), a.erp(), a.receiver())
	if err := root.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintln(a.Err, "chaos:", err)
		return 1
	}
	return 0
}

func (a App) runCommand() *cobra.Command {
	o := Options{Self: a.Self}
	cmd := &cobra.Command{
		Use: "run", Short: "Run everything under faults, then check", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			page, err := Run(cmd.Context(), o, a.Out, a.Now)
			if err != nil {
				return err
			}
			err = errors.Join(
				dump(filepath.Join(o.Dir, "page.txt"), page.WriteText),
				dump(filepath.Join(o.Dir, "page.json"), func(out io.Writer) error { return json.NewEncoder(out).Encode(page) }),
				page.WriteText(a.Out),
			)
			_, _ = fmt.Fprintf(a.Out, "\nhistory: %s\n", o.Dir)
			if err == nil && !page.Report.OK {
				err = errNotHeld
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&o.Seed, "seed", 1, "decides the orders and the faults")
	flags.StringVar(&o.Dir, "dir", "", "folder to make for the history")
	flags.StringVar(&o.Bin, "bin", "bin", "folder of the programs")
	flags.StringVar(&o.Sink, "sink", chaos.Postgres, "postgres (needs Docker) or webhook")
	flags.StringVar(&o.Image, "postgres-image", "postgres:17-alpine", "image of PostgreSQL")
	flags.IntVar(&o.Orders, "orders", 20_000, "orders at the start")
	flags.Float64Var(&o.Traffic, "traffic", 40, "changes of orders a second")
	flags.IntVar(&o.Faults, "faults", 36, "how many faults")
	flags.DurationVar(&o.Span, "span", 2*time.Minute, "over how long")
	return cmd
}

func (a App) check() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "check folder", Short: "Judge a history again", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			history, err := chaos.Load(args[0])
			if err != nil {
				return err
			}
			report := chaos.Check(history)
			write := report.WriteText
			if asJSON {
				write = report.WriteJSON
			}
			if err := write(a.Out); err != nil {
				return err
			}
			if !report.OK {
				return errNotHeld
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return cmd
}

func (a App) schedule() *cobra.Command {
	return &cobra.Command{
		Use: "schedule seed faults span", Short: "Show the faults of a seed", Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			seed, err := strconv.ParseUint(args[0], 10, 64)
			n, nErr := strconv.Atoi(args[1])
			span, spanErr := time.ParseDuration(args[2])
			if err := errors.Join(err, nErr, spanErr); err != nil {
				return err
			}
			for _, s := range Schedule(seed, n, span) {
				_, _ = fmt.Fprintln(a.Out, s)
			}
			return nil
		},
	}
}

func (a App) nats() *cobra.Command {
	var (
		dir, token string
		port       int
	)
	cmd := &cobra.Command{
		Use: "nats", Short: "Be the NATS server of a run", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return serveBroker(cmd.Context(), dir, port, token, a.Err) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "data folder")
	cmd.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1")
	cmd.Flags().StringVar(&token, "token-file", "", "file with the token of clients")
	return cmd
}

func (a App) erp() *cobra.Command {
	var o vendorOptions
	cmd := &cobra.Command{
		Use: "erp", Short: "Be the ERP of a run", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return serveVendor(cmd.Context(), o, a.Now) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "", "address")
	flags.Uint64Var(&o.seed, "seed", 1, "decides the orders")
	flags.IntVar(&o.orders, "orders", 0, "orders at the start")
	flags.Float64Var(&o.perSecond, "traffic", 0, "changes a second")
	flags.DurationVar(&o.late, "late", 0, "how late a change may show")
	flags.IntVar(&o.rates[0], "rate-per-second", 0, "calls allowed")
	flags.IntVar(&o.rates[1], "rate-per-minute", 0, "calls allowed")
	return cmd
}

func (a App) receiver() *cobra.Command {
	var listen, log string
	cmd := &cobra.Command{
		Use: "receiver", Short: "Be the webhook receiver of a run", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return serveReceiver(cmd.Context(), listen, log, a.Now) },
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address")
	cmd.Flags().StringVar(&log, "log", "", "file of the requests")
	return cmd
}
