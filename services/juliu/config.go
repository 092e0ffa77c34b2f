package juliu

import (
	"fmt"
	"os"
	"strconv"
	"strings"
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

// isSet reports that one of the variables is set.
func isSet(names ...string) bool {
	for _, name := range names {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// isSetBelow reports that a variable is set whose name begins so.
func isSetBelow(prefix string) bool {
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix) && value != "" {
			return true
		}
	}
	return false
}

// hasCredentials reports that this environment is meant to reach an ERP.
func hasCredentials() bool {
	return isSet("JST_APP_KEY", "JST_APP_SECRET", "JST_APP_SECRET_FILE", "JST_ACCESS_TOKEN", "JST_ACCESS_TOKEN_FILE")
}

// readsChinese reports that whoever runs the command reads Chinese, by the first of LC_ALL and LANG that is set (POSIX, 8.2).
func readsChinese() bool {
	locale := os.Getenv("LC_ALL")
	if locale == "" {
		locale = os.Getenv("LANG")
	}
	return strings.HasPrefix(locale, "zh")
}
