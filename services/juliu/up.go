package juliu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/process"
	"juliu/services/extractor"
	"juliu/services/loader"
)

const upHelp = `up runs everything in one process: a NATS server that keeps its data in --data and fsyncs every commit, a simulated ERP (a real one when
JST_BASE_URL is set), the extractor and the loader. It prints one line a second (ten off a terminal): how fresh the newest order is, orders
stored a second and in all, orders loaded, and how many wait for the loader. Ctrl-C finishes what is in hand and prints a summary; everything stays in the data folder.

With the sandbox and --for it ends with a proof: the stream is compared, order by order, with the ledger of what the sandbox showed.`

// upFlags are the flags of up.
type upFlags struct {
	data, sink string
	length     time.Duration
	box        sandbox.Config
	faults     float64
}

func (a App) up() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:     "up",
		Short:   "Run everything in one process",
		Long:    upHelp,
		Example: "  juliu up\n  juliu up --orders 20000 --faults 0.01 --for 5m\n  juliu up --sink jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return process.Run(cmd.Context(), drainTime, func(intake, work context.Context) error { return a.runUp(intake, work, f) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "data", "`folder` for the stream")
	flags.StringVar(&f.sink, "sink", "", "`sink` that orders go to: noop, jsonl, postgres or webhook (default LOADER_SINK, else noop)")
	flags.DurationVar(&f.length, "for", 0, "stop after this long (default at Ctrl-C)")
	sandboxFlags(flags, &f.box, &f.faults)
	return cmd
}

// drainTime is how long up goes on with what it has in hand after the first Ctrl-C.
const drainTime = 15 * time.Second

// runUp runs the stack and reports on it.
func (a App) runUp(intake, work context.Context, f upFlags) error {
	cfg, addr, err := a.stackConfig(f)
	if err != nil {
		return err
	}
	stack, err := OpenStack(work, cfg)
	if err != nil {
		return err
	}
	defer stack.Close()
	health := &process.Health{}
	health.Add("nats", stack.Conn.Ready)
	server, err := process.Listen(work, addr, health, cfg.Registry)
	if err != nil {
		return err
	}
	defer server.Close()
	a.greet(f, cfg, stack, server)

	intake, stop := context.WithCancel(intake)
	defer stop()
	finished := make(chan error, 1)
	go func() {
		defer stop() // whoever waits for the stack need not wait on
		finished <- stack.Run(intake, work)
	}()

	report := report{app: a, stack: stack, source: cfg.Extractor.Source, began: a.Now(), last: snapshot{at: a.Now()}}
	var deadline <-chan time.Time
	if f.length > 0 {
		timer := time.NewTimer(f.length)
		defer timer.Stop()
		deadline = timer.C
	}
	ticker := time.NewTicker(a.every())
	defer ticker.Stop()
	for {
		select {
		case err := <-finished:
			report.summary(work)
			return err
		case <-ticker.C:
			report.tick(work)
		case <-deadline:
			err := report.prove(intake, cfg.Extractor)
			stop()
			if runErr := <-finished; runErr != nil {
				err = runErr
			}
			report.summary(work)
			return err
		}
	}
}

// stackConfig reads the services' settings from the environment, with the sandbox in the ERP's place unless one is named. The text is
// where to serve health and metrics.
func (a App) stackConfig(f upFlags) (StackConfig, string, error) {
	own, err := loadConfig()
	if err != nil {
		return StackConfig{}, "", err
	}
	log, err := a.logger(own)
	if err != nil {
		return StackConfig{}, "", err
	}
	cfg := StackConfig{Data: f.data, Limits: own.limits, Registry: process.NewRegistry(), Log: log, Now: a.Now}
	var loaderErr, extractorErr error
	cfg.Loader, loaderErr = loader.LoadConfig(f.sink)
	if own.baseURL != "" {
		cfg.Extractor, extractorErr = extractor.LoadConfig(a.Now)
	} else {
		extractorErr = a.sandboxConfig(f, &cfg)
	}
	return cfg, cmp.Or(own.httpAddr, "127.0.0.1:0"), errors.Join(extractorErr, loaderErr)
}

// sandboxSource begins the names of the sources that are sandboxes.
const sandboxSource = "sandbox-"

// sandboxConfig puts a sandbox in the ERP's place.
func (a App) sandboxConfig(f upFlags, cfg *StackConfig) error {
	var err error
	if cfg.Extractor, err = extractor.LoadConfigFor(a.sandboxERP(), a.Now(), extractor.Defaults{
		// Each start of the sandbox is another merchant: it remembers nothing of the one before.
		Source: sandboxSource + a.Now().UTC().Format("20060102-150405"),
		Start:  f.box.History + time.Minute, Interval: time.Second, Settle: 5 * time.Second, Overlap: time.Minute,
	}); err != nil {
		return err
	}
	// As late as the extractor promises to find, and no later.
	cfg.Sandbox, err = a.newSandbox(f.box, f.faults, cfg.Extractor.Overlap)
	return err
}

// greet says what runs and where to look at it.
func (a App) greet(f upFlags, cfg StackConfig, stack *Stack, server *process.Server) {
	erp := cmp.Or(stack.ERP, "the gateway's own address")
	if cfg.Sandbox != nil {
		erp = fmt.Sprintf("a sandbox of %d orders, %s/__sandbox/", f.box.Orders, stack.ERP)
	}
	_, _ = fmt.Fprintf(a.Out, "juliu up\n  ERP      %s\n  stream   folder %s; see the orders with: juliu read --data %s --follow\n  sink     %s\n", erp, f.data, f.data, cfg.Loader.Sink)
	if server.Addr() != "" {
		_, _ = fmt.Fprintf(a.Out, "  metrics  http://%s/metrics\n", server.Addr())
	}
}
