// Command loader takes records from JetStream to a sink.
package main

import (
	"context"
	"os"
	"time"

	"juliu/pkg/process"
	"juliu/services/loader"
)

func main() {
	os.Exit(process.Main(context.Background(), process.Service{
		Name: "loader", Help: loader.Help, Out: os.Stdout, Err: os.Stderr, HTTPAddr: os.Getenv("HTTP_ADDR"), Grace: loader.Grace,
		Run: func(intake, work context.Context) error { return loader.Main(intake, work, os.Stdout, time.Now) },
	}, os.Args[1:]))
}
