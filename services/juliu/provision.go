package juliu

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"juliu/pkg/control"
	"juliu/pkg/stream"
)

const provisionHelp = `provision creates the streams, the loader's consumer and the buckets, or brings them to the settings asked for. The services only bind
to them, so this is the one place that owns their configuration. Run it again at any time: it changes only what differs.

It connects by NATS_URL (or NATS_CONTEXT, NATS_CREDS …) and waits up to half a minute for a server that is still starting JetStream.`

func (a App) provision() *cobra.Command {
	return &cobra.Command{
		Use:     "provision",
		Short:   "Create or update the streams and consumers",
		Long:    provisionHelp,
		Example: "  NATS_URL=nats://127.0.0.1:4222 juliu provision",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.provisionNow(cmd.Context()) },
	}
}

func (a App) provisionNow(ctx context.Context) error {
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	log, err := a.logger(cfg)
	if err != nil {
		return err
	}
	cfg.nats.Name = "provision"
	conn, err := stream.Connect(ctx, cfg.nats, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	changes, err := provisionAll(ctx, conn, cfg.limits)
	for _, change := range changes {
		_, _ = fmt.Fprintln(a.Out, change)
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(a.Out, "provisioned")
	return nil
}

// provisionAll sets up the data plane, then the control plane, and returns what it did, also before an error.
func provisionAll(ctx context.Context, conn *stream.Conn, limits stream.Limits) ([]string, error) {
	changes, err := stream.Provision(ctx, conn, limits)
	if err != nil {
		return changes, err
	}
	buckets, err := control.Provision(ctx, conn, limits.Replicas)
	return append(changes, buckets...), err
}
