package juliu

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"juliu/pkg/sink/postgres"
	"juliu/pkg/sink/webhook"
	"juliu/services/loader"
)

// sinkTime bounds the look at a sink.
const sinkTime = 4 * time.Second

// lookAtSink looks whether the sink that LOADER_* settings name can be reached; it writes nothing there.
func lookAtSink(ctx context.Context, f *facts) {
	if !isSetBelow("LOADER_") {
		return
	}
	cfg, err := loader.LoadConfig("")
	if err != nil {
		f.addProblems(err)
		f.sink.unread = true
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sinkTime)
	defer cancel()
	s := sinkFacts{name: cfg.Sink, migrated: true}
	switch cfg.Sink {
	case "postgres":
		s.migrated, s.err = postgres.Check(ctx, postgres.Config{URL: cfg.PostgresURL, Connections: 1})
	case "webhook":
		s.err = webhook.Reach(ctx, cfg.Webhook)
	case "jsonl":
		s.err = writable(filepath.Dir(cfg.JSONL.Path))
	}
	f.sink = s
}

// writable is an error unless this user may create files in a folder.
func writable(folder string) error {
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("write into %s: %w", folder, err)
	}
	return nil
}
