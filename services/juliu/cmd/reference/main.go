// Command reference writes the pages about the commands: docs/commands in Markdown and docs/man as man pages. It is a tool of `make
// generate` and no part of what is shipped.
package main

import (
	"fmt"
	"os"
	"time"

	"juliu/services/juliu"
)

func main() {
	if len(os.Args) != 2 {
		_, _ = fmt.Fprintln(os.Stderr, "reference: name the folder to write to: reference docs")
		os.Exit(2)
	}
	root := juliu.App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now}.Command()
	if err := write(root, os.Args[1]); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "reference: %v\n", err)
		os.Exit(1)
	}
}
