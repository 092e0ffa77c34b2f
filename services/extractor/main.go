package extractor

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
	"juliu/pkg/process"
	"juliu/pkg/stream"
)

// Grace is how long a stopped extractor may go on with the commit in hand. A commit takes milliseconds; an unclear answer waits for the
// server, and giving up on it loses nothing: the next start reads the checkpoint.
const Grace = 10 * time.Second

// Help is the text of --help.
const Help = `extractor polls Jushuitan (聚水潭) and stores each order on a NATS JetStream stream, orders and checkpoint as one atomic act.

Settings come from the environment; docs/configuration.md lists them all. Needed: JST_APP_KEY, JST_APP_SECRET, JST_ACCESS_TOKEN, and on the
first start EXTRACTOR_START, e.g. 720h. Streams and buckets are created beforehand by 'juliu provision'.

Exit codes: 0 stopped as asked, 1 failed, 2 bad configuration, 3 another extractor of the same source has taken over.
`

// Main is the extractor as a process: settings from the environment, log to out, until intake ends.
func Main(intake, work context.Context, out io.Writer, now func() time.Time) error {
	cfg, err := LoadConfig(now)
	if err != nil {
		return err
	}
	logger, err := logging.New(cfg.LogLevel, cfg.LogFormat, out)
	if err != nil {
		return fmt.Errorf("set up logging: %w", err)
	}
	log := logger.WithField(logging.Service, "extractor")
	client, err := jushuitan.New(cfg.ERP)
	if err != nil {
		return err
	}
	conn, err := stream.Connect(intake, cfg.NATS, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := stream.Check(intake, conn); err != nil {
		return err
	}
	registry := process.NewRegistry()
	e, err := build(intake, conn, client, log, registry, now, cfg)
	if err != nil {
		return err
	}
	health := &process.Health{}
	health.Add("nats", conn.Ready)
	server, err := process.Listen(intake, cfg.HTTPAddr, health, registry)
	if err != nil {
		return err
	}
	defer server.Close()
	log.WithFields(logrus.Fields{logging.Version: process.Version(), logging.Address: server.Addr()}).Info("started")
	defer context.AfterFunc(intake, health.Drain)()
	return e.Run(intake, work)
}

// build opens what an extractor shares with others through NATS, and makes one.
func build(
	ctx context.Context, conn *stream.Conn, client *jushuitan.Client, log logrus.FieldLogger, registry prometheus.Registerer, now func() time.Time, cfg Config,
) (*Extractor, error) {
	leases, err := control.OpenLeases(ctx, conn, log)
	if err != nil {
		return nil, err
	}
	jobs, err := control.OpenJobs(ctx, conn, now)
	if err != nil {
		return nil, err
	}
	tokens, err := control.OpenTokens(ctx, conn, cfg.ERP.AppSecret)
	if err != nil {
		return nil, err
	}
	return New(Deps{
		ERP: client, Stream: conn, Leases: leases.WithQuota(QuotaOf(client)), Jobs: jobs, Tokens: tokens, Log: log, Registerer: registry, Now: now,
		Holder: control.Holder{Name: process.Name(), Since: now()},
	}, cfg)
}
