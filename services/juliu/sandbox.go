package juliu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/process"
	"juliu/pkg/secret"
)

const sandboxHelp = `sandbox serves a simulated Jushuitan: both gateways, signatures, rate limits, and orders that live and move while they are read.
It accepts the test credentials that the vendor publishes; the line that it prints holds the settings for an extractor.`

// sandboxFlags are the flags that `up` and `sandbox` share.
func sandboxFlags(flags *pflag.FlagSet, cfg *sandbox.Config, faults *float64) {
	flags.IntVar(&cfg.Orders, "orders", 2000, "sandbox: `n` orders in its history")
	flags.DurationVar(&cfg.History, "history", 72*time.Hour, "sandbox: how long its history reaches back")
	flags.Float64Var(&cfg.Traffic.PerSecond, "traffic", 2, "sandbox: `n` changes of orders a second")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "sandbox: the same `seed` gives the same orders")
	flags.IntVar(&cfg.RatePerSecond, "rate-per-second", sandbox.DefaultRatePerSecond, "sandbox: `n` calls allowed in any second; 0 without bound")
	flags.IntVar(&cfg.RatePerMinute, "rate-per-minute", sandbox.DefaultRatePerMinute, "sandbox: `n` calls allowed in any minute; 0 without bound")
	flags.Float64Var(faults, "faults", 0, "sandbox: `share` of calls that fail, 0 to 1 (rate limits, HTML pages, cut bodies, resets …)")
}

func (a App) sandbox() *cobra.Command {
	var (
		cfg    sandbox.Config
		faults float64
		listen string
		late   time.Duration
	)
	cmd := &cobra.Command{
		Use:     "sandbox",
		Short:   "Serve a simulated Jushuitan",
		Long:    sandboxHelp,
		Example: "  juliu sandbox\n  juliu sandbox --listen 127.0.0.1:8091 --orders 20000 --faults 0.01",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			box, err := a.newSandbox(cfg, faults, late)
			if err != nil {
				return err
			}
			return process.Run(cmd.Context(), 5*time.Second, func(intake, _ context.Context) error {
				return serveSandbox(intake, box, listen, func(url string) {
					_, _ = fmt.Fprintf(a.Out, "sandbox: JST_BASE_URL=%s JST_APP_KEY=%s JST_APP_SECRET=%s JST_ACCESS_TOKEN=%s\n",
						url, sandbox.DefaultAppKey, sandbox.DefaultAppSecret, sandbox.DefaultAccessToken)
				})
			})
		},
	}
	sandboxFlags(cmd.Flags(), &cfg, &faults)
	cmd.Flags().DurationVar(&late, "late", time.Minute, "sandbox: how long after its modification time a change may become visible")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8090", "`address` to serve on")
	return cmd
}

// newSandbox fills in what makes the sandbox's orders move as real ones do: late commits, and rows that change while they are paged.
func (a App) newSandbox(cfg sandbox.Config, faults float64, late time.Duration) (*sandbox.Sandbox, error) {
	if faults < 0 || faults > 1 {
		return nil, usageError{"--faults takes a share from 0 to 1"}
	}
	cfg.Now = a.Now
	cfg.Traffic.NewShare, cfg.Traffic.EditShare, cfg.Traffic.LateShare, cfg.Traffic.LateMax = 0.4, 0.2, 0.05, late
	cfg.Traffic.DriftPerCall = 1
	cfg.Faults = sandbox.AllFaults(faults)
	cfg.Faults.StallFor = 2 * time.Second
	box, err := sandbox.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	return box, nil
}

// serveSandbox serves until ctx ends; ready is told the base URL.
func serveSandbox(ctx context.Context, box *sandbox.Sandbox, listen string, ready func(url string)) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("serve the sandbox on %s: %w; choose another address with --listen", listen, err)
	}
	server := &http.Server{Handler: box, ReadHeaderTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return box.Run(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the sandbox: %w", err)
		}
		return nil
	})
	ready("http://" + listener.Addr().String())
	return group.Wait() //nolint:wrapcheck // wrapped above
}

// sandboxERP is how a client reaches a sandbox; its address is known once it listens.
func (a App) sandboxERP() jushuitan.Config {
	return jushuitan.Config{
		AppKey: sandbox.DefaultAppKey, AppSecret: secret.New(sandbox.DefaultAppSecret), AccessToken: secret.New(sandbox.DefaultAccessToken), Now: a.Now,
	}
}
