package juliu

import (
	"context"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"juliu/pkg/logging"
	"juliu/pkg/stream"
)

const provisionHelp = `provision creates the streams, the loader's consumer and the buckets, or brings them to the settings asked for. The services only bind
to them, so this is the one place that owns their configuration. Run it again at any time: it changes only what differs.

It connects by NATS_URL (or NATS_CONTEXT, NATS_CREDS …) and waits up to --wait for the server.`

func (a App) provision() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Create or update the streams and consumers",
		Long:  provisionHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			log, err := a.logger(cfg)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			return a.provisionNow(ctx, cfg, log)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the server")
	return cmd
}

func (a App) provisionNow(ctx context.Context, cfg config, log logrus.FieldLogger) error {
	conn, err := stream.Connect(ctx, cfg.nats, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	changes, err := stream.Provision(ctx, conn, cfg.limits)
	if err != nil {
		return err
	}
	for _, change := range changes {
		_, _ = fmt.Fprintln(a.Out, change)
	}
	_, _ = fmt.Fprintln(a.Out, "provisioned")
	return nil
}

// logger writes to Err.
func (a App) logger(cfg config) (logrus.FieldLogger, error) {
	log, err := logging.New(cfg.logLevel, cfg.logFormat, a.Err)
	if err != nil {
		return nil, fmt.Errorf("set up logging: %w", err)
	}
	return log, nil
}
