package juliu

import (
	"fmt"

	"github.com/spf13/cobra"
)

const completionHelp = `completion prints the script by which a shell completes commands, flags and their values when Tab is pressed: also the IDs of jobs and dead
letters, which it asks of the server, and shows nothing when that does not answer within a second.

Each line below installs it for good, from the next shell on. bash needs the package bash-completion, zsh needs compinit in ~/.zshrc.`

const completionExamples = `  echo 'source <(juliu completion bash)' >> ~/.bashrc
  echo 'source <(juliu completion zsh)' >> ~/.zshrc
  mkdir -p ~/.config/fish/completions && juliu completion fish > ~/.config/fish/completions/juliu.fish
  Add-Content $PROFILE 'juliu completion powershell | Out-String | Invoke-Expression'`

func (a App) completion() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Print the script by which a shell completes commands",
		Long:      completionHelp,
		Example:   completionExamples,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(a.Out, true)
			case "zsh":
				err = root.GenZshCompletion(a.Out)
			case "fish":
				err = root.GenFishCompletion(a.Out, true)
			default:
				err = root.GenPowerShellCompletionWithDesc(a.Out)
			}
			if err != nil {
				return fmt.Errorf("print the script for %s: %w", args[0], err)
			}
			return nil
		},
	}
}
