// Command chaos disturbs juliu and judges what is left; see scripts/chaos/rig.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"juliu/scripts/chaos/rig"
)

func main() {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	os.Exit(rig.App{Out: os.Stdout, Err: os.Stderr, Now: time.Now, Self: self}.Main(context.Background(), os.Args[1:]))
}
