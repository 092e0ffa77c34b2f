package juliu

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/kelseyhightower/envconfig"

	"juliu/pkg/setting"
	"juliu/pkg/stream"
)

// environment is what the command itself reads; `up` reads the services' own settings beside it.
type environment struct {
	NATS      stream.Config
	BaseURL   string `envconfig:"JST_BASE_URL" desc:"the ERP; unset, juliu up runs a sandbox in its place"`
	HTTPAddr  string `desc:"where healthcheck asks; where up serves /readyz and /metrics, default a free loopback port" envconfig:"HTTP_ADDR"`
	LogLevel  string `default:"warn" desc:"debug, info, warn or error" envconfig:"LOG_LEVEL"`
	LogFormat string `desc:"text or json; text on a terminal" envconfig:"LOG_FORMAT"`
	Replicas  string `default:"1" desc:"copies of each stream, 1, 3 or 5" envconfig:"STREAM_REPLICAS"`
	MaxAge    string `default:"0s" desc:"how long records are kept; 0s for ever" envconfig:"STREAM_MAX_AGE"`
	MaxBytes  string `default:"0" desc:"how large the stream may grow; 0 without bound" envconfig:"STREAM_MAX_BYTES"`
}

// config is the environment, parsed.
type config struct {
	nats                stream.Config
	baseURL, httpAddr   string
	logLevel, logFormat string
	limits              stream.Limits
}

func loadConfig() (config, error) {
	var env environment
	if err := envconfig.Process("", &env); err != nil {
		return config{}, fmt.Errorf("read the environment: %w", err)
	}
	setting.FillDefaults(&env)
	var p setting.Parser
	replicas, _ := strconv.Atoi(p.OneOf("STREAM_REPLICAS", env.Replicas, "1", "3", "5"))
	cfg := config{
		nats: env.NATS, baseURL: env.BaseURL, httpAddr: env.HTTPAddr,
		logFormat: p.OneOf("LOG_FORMAT", env.LogFormat, "text", "json"),
		logLevel:  p.OneOf("LOG_LEVEL", env.LogLevel, "debug", "info", "warn", "error"),
		limits: stream.Limits{
			Replicas: replicas,
			MaxAge:   p.Duration("STREAM_MAX_AGE", env.MaxAge, 0, 100*365*24*time.Hour),
			MaxBytes: p.Bytes("STREAM_MAX_BYTES", env.MaxBytes),
		},
	}
	p.Unknown(os.Environ(), "STREAM_", env)
	return cfg, p.Err()
}
