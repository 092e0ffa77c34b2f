package setting

import (
	"fmt"
	"strings"
)

// Problem is one setting that cannot be used.
type Problem struct {
	// Name is the variable.
	Name string
	// Fault says what is wrong, as the end of a sentence that begins with the name: "is not a duration".
	Fault string
	// Remedy says what to do, with an example.
	Remedy string
}

// String is the problem in one line.
func (p Problem) String() string { return p.Name + " " + p.Fault + "; " + p.Remedy }

// Problems is the error of settings that cannot be used, all of them at once.
type Problems struct { //nolint:errname // the word of the operator, and of Parser
	// All is in the order in which they were found, and not empty.
	All []Problem
}

// Error is one line for one problem, else a line for each below their number.
func (p *Problems) Error() string {
	if len(p.All) == 1 {
		return "read settings: " + p.All[0].String()
	}
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "read settings: %d cannot be used:", len(p.All))
	for _, problem := range p.All {
		text.WriteString("\n  " + problem.String())
	}
	return text.String()
}

// ExitCode is 2, bad configuration.
func (p *Problems) ExitCode() int { return 2 }
