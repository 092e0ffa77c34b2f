package loader

import (
	"fmt"
	"os"

	"github.com/kelseyhightower/envconfig"

	"juliu/pkg/secret"
	"juliu/pkg/setting"
	"juliu/pkg/sink"
	"juliu/pkg/sink/webhook"
	"juliu/pkg/stream"
)

// Environment is every variable that the loader reads. All are text, so that every problem is told at once.
type Environment struct {
	NATS stream.Config

	Sink        string `default:"noop"         desc:"where records go: noop (counts them), jsonl (a file), postgres (a database) or webhook (a URL)" envconfig:"LOADER_SINK"`
	Workers     string `default:"8"            desc:"records written at once, each of another key; 1 to 64"                       envconfig:"LOADER_WORKERS"`
	MaxAttempts string `default:"10"           desc:"after so many failures a record becomes a dead letter; an outage counts none" envconfig:"LOADER_MAX_ATTEMPTS"`
	JSONLPath   string `default:"orders.jsonl" desc:"the file of the sink jsonl; one for each loader"                              envconfig:"LOADER_JSONL_PATH"`
	JSONLRotate string `default:"1GiB" desc:"the size at which the file is put aside under a name with the time, and a new one begun; 0 never" envconfig:"LOADER_JSONL_ROTATE"`

	Webhook         WebhookEnvironment
	PostgresURL     string `desc:"the database of the sink postgres: postgres://user:password@host:5432/database?sslmode=verify-full" envconfig:"LOADER_POSTGRES_URL"`
	PostgresURLFile string `desc:"a file that holds it"                                                                             envconfig:"LOADER_POSTGRES_URL_FILE"`

	HTTPAddr  string `default:":8080" desc:"where /healthz, /readyz and /metrics are served; off for nowhere" envconfig:"HTTP_ADDR"`
	LogLevel  string `default:"info"  desc:"debug, info, warn or error"                                       envconfig:"LOG_LEVEL"`
	LogFormat string `desc:"text or json; default text on a terminal, else json"                              envconfig:"LOG_FORMAT"`
}

// Config is the environment, parsed and checked.
type Config struct {
	NATS stream.Config
	// Sink is the name of the sink.
	Sink string
	// Workers is how many writes run at once, at least 1.
	Workers int
	// MaxAttempts is after how many failed deliveries a record becomes a dead letter, at least 1.
	MaxAttempts int
	// JSONL is the file of the sink jsonl.
	JSONL sink.JSONLConfig
	// Webhook is the sink webhook. While another is used it is not checked.
	Webhook webhook.Config
	// PostgresURL is the database of the sink postgres, with its password.
	PostgresURL                   secret.Text
	HTTPAddr, LogLevel, LogFormat string
}

// LoadConfig reads the environment; sinkName takes the place of LOADER_SINK when it is not empty. The error is a *setting.Problems that
// names everything that is wrong.
func LoadConfig(sinkName string) (Config, error) {
	var env Environment
	if err := envconfig.Process("", &env); err != nil {
		return Config{}, fmt.Errorf("read the environment: %w", err)
	}
	setting.FillDefaults(&env)
	if sinkName != "" {
		env.Sink = sinkName
	}
	var p setting.Parser
	cfg := Config{
		NATS:        env.NATS,
		Sink:        p.OneOf("LOADER_SINK", env.Sink, SinkNames()...),
		Workers:     p.Int("LOADER_WORKERS", env.Workers, 1, 64),
		MaxAttempts: p.Int("LOADER_MAX_ATTEMPTS", env.MaxAttempts, 1, 1000),
		JSONL:       sink.JSONLConfig{Path: env.JSONLPath, Rotate: p.Bytes("LOADER_JSONL_ROTATE", env.JSONLRotate)},
		PostgresURL: p.Secret("LOADER_POSTGRES_URL", env.PostgresURL, env.PostgresURLFile),
		HTTPAddr:    env.HTTPAddr,
		LogLevel:    p.OneOf("LOG_LEVEL", env.LogLevel, "debug", "info", "warn", "error"),
		LogFormat:   p.OneOf("LOG_FORMAT", env.LogFormat, "text", "json"),
	}
	uses := &p
	if cfg.Sink != "webhook" { // a replay into it says what is wrong; the live flow goes on without
		uses = &setting.Parser{}
	}
	cfg.Webhook = env.Webhook.parse(uses)
	cfg.NATS.Name = "loader"
	p.Required("LOADER_POSTGRES_URL", cfg.Sink != sinkPostgres || !cfg.PostgresURL.IsZero() || env.PostgresURLFile != "",
		"postgres://user:password@host:5432/database, or LOADER_POSTGRES_URL_FILE to a file that holds it")
	p.Unknown(os.Environ(), "LOADER_", env)
	return cfg, p.Err()
}
