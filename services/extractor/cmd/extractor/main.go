// Command extractor polls Jushuitan and publishes each order to JetStream.
package main

import (
	"context"
	"os"
	"time"

	"juliu/pkg/process"
	"juliu/services/extractor"
)

func main() {
	os.Exit(process.Main(context.Background(), process.Service{
		Name: "extractor", Help: extractor.Help, Out: os.Stdout, Err: os.Stderr, HTTPAddr: os.Getenv("HTTP_ADDR"), Grace: extractor.Grace,
		Run: func(intake, work context.Context) error { return extractor.Main(intake, work, os.Stdout, time.Now) },
	}, os.Args[1:]))
}
