package juliu

import (
	"github.com/spf13/cobra"

	"juliu/pkg/process"
)

func (a App) healthcheck() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a service on this host whether it is ready (for container health checks)",
		Long:  "healthcheck asks http://HTTP_ADDR/readyz on the loopback interface and ends with 0 when the service is ready, with 1 when it is not.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			return process.Healthcheck(cmd.Context(), cfg.httpAddr)
		},
	}
}
