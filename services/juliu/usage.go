package juliu

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// misuse says in one line what of a command line was not understood, and where to look it up.
func misuse(cmd *cobra.Command, err error) string {
	what := err.Error()
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		what = fmt.Sprintf("--%s takes %s, not %q", bad.GetFlag().Name, kindOfValue(bad.GetFlag().Value.Type()), bad.GetValue())
	} else if bare, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		what = fmt.Sprintf("--%s needs a value", bare.GetFlag().Name)
	} else if args := cmd.Flags().Args(); !isFlagError(err) && cmd.ValidateArgs(args) != nil {
		what = wrongArguments(cmd, args)
	}
	return printable(strings.Join(strings.Fields(what), " ")) + "; see: " + cmd.CommandPath() + " --help"
}

// isFlagError tells that a flag is wrong: then the arguments were not read.
func isFlagError(err error) bool {
	_, unknown := errors.AsType[*pflag.NotExistError](err)
	_, syntax := errors.AsType[*pflag.InvalidSyntaxError](err)
	return unknown || syntax
}

// kindOfValue is what a flag of a type takes, for people.
func kindOfValue(kind string) string {
	kinds := map[string]string{
		"bool": "true or false", "duration": "a duration such as 90s, 15m or 72h", "float64": "a number",
		"int": "a whole number", "uint64": "a whole number from 0 on",
	}
	if text, ok := kinds[kind]; ok {
		return text
	}
	return "a " + kind
}

// wrongArguments says how the arguments, which cmd does not take, should be.
func wrongArguments(cmd *cobra.Command, args []string) string {
	path := cmd.CommandPath()
	if cmd.HasSubCommands() {
		cmd.SuggestionsMinimumDistance = 2
		text := fmt.Sprintf("%s has no command %q", path, args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += "; did you mean: " + path + " " + near[0]
		}
		return text
	}
	if words := strings.Fields(cmd.Use); len(words) > 1 {
		return "write it as: " + path + " " + strings.Join(slices.Delete(words, 0, 1), " ")
	}
	return fmt.Sprintf("%s takes flags only, not %q", path, args[0])
}
