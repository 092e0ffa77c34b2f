package loader

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
	"juliu/pkg/process"
	"juliu/pkg/stream"
)

// Grace is how long a stopped loader may go on with what it has in hand. What it drops then comes again, to whichever loader runs.
const Grace = 15 * time.Second

// Help is the text of --help.
const Help = `loader takes records from the NATS JetStream stream to a sink, and acknowledges each after the sink has it. Any number of loaders share
the work.

Settings come from the environment; docs/configuration.md lists them all. The default sink, noop, only counts; LOADER_SINK=jsonl writes to
the file LOADER_JSONL_PATH, LOADER_SINK=postgres to the database LOADER_POSTGRES_URL, LOADER_SINK=webhook posts to LOADER_WEBHOOK_URL. The
streams are created beforehand by 'juliu provision'.

Exit codes: 0 stopped as asked, 1 failed, 2 bad configuration.
`

// Main is the loader as a process: settings from the environment, log to out, until intake ends. now is the clock.
func Main(intake, work context.Context, out io.Writer, now func() time.Time) error {
	cfg, err := LoadConfig("")
	if err != nil {
		return err
	}
	logger, err := logging.New(cfg.LogLevel, cfg.LogFormat, out)
	if err != nil {
		return fmt.Errorf("set up logging: %w", err)
	}
	log := logger.WithField(logging.Service, "loader")
	conn, err := stream.Connect(intake, cfg.NATS, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := stream.Check(intake, conn); err != nil {
		return err
	}
	registry, health := process.NewRegistry(), &process.Health{}
	health.Add("nats", conn.Ready)
	defer context.AfterFunc(intake, health.Drain)()
	server, err := process.Listen(intake, cfg.HTTPAddr, health, registry)
	if err != nil {
		return err
	}
	defer server.Close()
	l, err := Open(intake, conn, cfg, log, registry, now)
	if err != nil {
		return err
	}
	log.WithFields(logrus.Fields{logging.Version: process.Version(), logging.Address: server.Addr()}).Info("started")
	return l.Run(intake, work)
}
