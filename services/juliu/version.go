package juliu

import (
	"fmt"

	"github.com/spf13/cobra"

	"juliu/pkg/process"
)

func (a App) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.Out, "juliu", process.Version())
			return err //nolint:wrapcheck // a closed standard output needs no more words
		},
	}
}
