// Command juliu is the operator's command.
package main

import (
	"context"
	"os"
	"time"

	"juliu/services/juliu"
)

func main() {
	os.Exit(juliu.App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now}.Run(context.Background(), os.Args[1:]))
}
