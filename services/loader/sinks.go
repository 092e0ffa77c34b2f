package loader

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"juliu/pkg/setting"
	"juliu/pkg/sink"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/webhook"
)

// Sinks that have rules of their own.
const (
	sinkPostgres = "postgres"
	sinkJSONL    = "jsonl"
)

// sinks is the table of sinks: the value of LOADER_SINK and how to open it. A sink of your own is one row here.
func sinks() map[string]func(context.Context, Config) (sink.Sink, error) {
	return map[string]func(context.Context, Config) (sink.Sink, error){
		"noop":       func(context.Context, Config) (sink.Sink, error) { return &sink.Noop{}, nil },
		sinkJSONL:    func(_ context.Context, cfg Config) (sink.Sink, error) { return openJSONL(cfg.JSONL) },
		sinkPostgres: openPostgres,
		"webhook":    func(_ context.Context, cfg Config) (sink.Sink, error) { return webhook.New(cfg.Webhook) },
	}
}

// SinkNames are the values of LOADER_SINK.
func SinkNames() []string { return slices.Sorted(maps.Keys(sinks())) }

// openSink opens the sink that cfg names.
func openSink(ctx context.Context, cfg Config) (sink.Sink, error) {
	open, ok := sinks()[cfg.Sink]
	if !ok {
		var p setting.Parser
		p.OneOf("LOADER_SINK", cfg.Sink, SinkNames()...)
		return nil, p.Err()
	}
	return open(ctx, cfg)
}

func openJSONL(cfg sink.JSONLConfig) (sink.Sink, error) {
	s, err := sink.OpenJSONL(cfg)
	if err == nil {
		return s, nil
	}
	var p setting.Parser
	fault, remedy := "cannot be opened", "name a file in a folder that this user can write, e.g. /data/orders.jsonl"
	switch {
	case errors.Is(err, sink.ErrLocked):
		fault, remedy = "names a file that another process writes to", "give each loader a file of its own"
	case errors.Is(err, sink.ErrNotOurs):
		fault, remedy = "names a file whose last line juliu did not write", "name another file"
	case errors.Is(err, fs.ErrNotExist):
		fault = "names a folder that does not exist"
	case errors.Is(err, fs.ErrPermission):
		fault = "names a file that this user may not write"
	}
	p.Problem("LOADER_JSONL_PATH", fault, remedy)
	return nil, p.Err()
}

// openPostgres gives each worker a connection, and each that a replay has beside. What cannot help itself is a problem of the setting; a server that may come is not.
func openPostgres(ctx context.Context, cfg Config) (sink.Sink, error) {
	s, err := postgres.Open(ctx, postgres.Config{URL: cfg.PostgresURL, Connections: cfg.Workers + replayWorkers(cfg.Workers)})
	if err == nil {
		return s, nil
	}
	cause, ok := errors.AsType[*postgres.OpenError](err)
	if !ok || !cause.Lasting {
		return nil, err
	}
	var p setting.Parser
	p.Problem("LOADER_POSTGRES_URL", cause.Fault, cause.Remedy)
	return nil, p.Err()
}
