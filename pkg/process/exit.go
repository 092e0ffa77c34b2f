package process

import "errors"

// The exit codes of every juliu program. An error chooses its own by a method ExitCode() int.
const (
	// ExitDone means that the work was done, or stopped as asked.
	ExitDone = 0
	// ExitFailed means a failure at run time; starting again may help.
	ExitFailed = 1
	// ExitUsage means bad usage or configuration; starting again cannot help.
	ExitUsage = 2
	// ExitFenced means that another process does this one's work; starting again harms nobody but does not help.
	ExitFenced = 3
)

// ExitCode is ExitDone for nil, what the first error in the chain that has a method ExitCode() int says, else ExitFailed.
func ExitCode(err error) int {
	if err == nil {
		return ExitDone
	}
	coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	if ok {
		return coded.ExitCode()
	}
	return ExitFailed
}
