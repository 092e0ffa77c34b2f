package juliu

import (
	"github.com/spf13/cobra"

	"juliu/pkg/process"
)

func (a App) healthcheck() *cobra.Command {
	return &cobra.Command{
		Use:     "healthcheck",
		Short:   "Ask a service on this host whether it is ready (for container health checks)",
		Long:    "healthcheck asks http://HTTP_ADDR/readyz on the loopback interface.\n\nExit codes: 0 the service is ready, 1 it is not, or nothing answers, 2 bad usage or configuration.",
		Example: "  HTTP_ADDR=:8080 juliu healthcheck",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			return process.Healthcheck(cmd.Context(), cfg.httpAddr)
		},
	}
}
