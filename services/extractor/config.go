package extractor

import (
	"fmt"
	"os"
	"time"

	"github.com/kelseyhightower/envconfig"

	"juliu/pkg/jushuitan"
	"juliu/pkg/setting"
	"juliu/pkg/stream"
)

// Environment is every variable that the extractor reads. All are text, so that every problem is told at once.
type Environment struct {
	NATS stream.Config

	Source       string `default:"main"  desc:"the merchant's account; a second merchant is a second extractor with another name"   envconfig:"EXTRACTOR_SOURCE"`
	Cursor       string `default:"window" desc:"how the ERP is walked: window, or ts for its row versions"                          envconfig:"EXTRACTOR_CURSOR"`
	Start        string `desc:"where the first run begins: a time (RFC 3339) or how far back (720h); needed until a checkpoint exists" envconfig:"EXTRACTOR_START"`
	Interval     string `default:"15s"   desc:"wait between two looks when all is read"                                             envconfig:"EXTRACTOR_INTERVAL"`
	Settle       string `default:"30s"   desc:"how far behind now a window ends"                                                    envconfig:"EXTRACTOR_SETTLE"`
	Overlap      string `default:"5m"    desc:"how far a window reaches back, for changes that become visible late"                 envconfig:"EXTRACTOR_OVERLAP"`
	Window       string `default:"24h"   desc:"how much is asked for at once, at most 167h"                                            envconfig:"EXTRACTOR_WINDOW"`
	SweepEvery   string `default:"1h"    desc:"how often the past is read again for what showed late; 0s for never"                 envconfig:"EXTRACTOR_SWEEP_EVERY"`
	SweepSpan    string `default:"24h"   desc:"how far back a sweep reads"                                                          envconfig:"EXTRACTOR_SWEEP_SPAN"`
	AuditEvery   string `default:"24h"   desc:"how often the past is compared with the ERP and repaired; 0s for never"                envconfig:"EXTRACTOR_AUDIT_EVERY"`
	AuditSpan    string `default:"168h"  desc:"how far back such an audit compares"                                                 envconfig:"EXTRACTOR_AUDIT_SPAN"`
	PageSize     string `default:"50"    desc:"rows a page, at most 50"                                                             envconfig:"EXTRACTOR_PAGE_SIZE"`
	Status       string `default:"all"   desc:"all, or one of WaitConfirm, Confirmed, Delete, Cancelled, OuterConfirming, Archive"  envconfig:"EXTRACTOR_STATUS"`
	ShopID       string `desc:"only this shop; default all"                                                                         envconfig:"EXTRACTOR_SHOP_ID"`
	OfflineShops string `default:"false" desc:"true reads the offline shops' orders"                                                envconfig:"EXTRACTOR_OFFLINE_SHOPS"`

	BaseURL          string `desc:"the ERP's address; default the gateway's own"                 envconfig:"JST_BASE_URL"`
	Gateway          string `default:"openapi" desc:"openapi, or partner for the old query.aspx" envconfig:"JST_GATEWAY"`
	AppKey           string `desc:"the app's key (partner: partnerid)"                           envconfig:"JST_APP_KEY"`
	AppSecret        string `desc:"the app's secret (partner: partnerkey)"                       envconfig:"JST_APP_SECRET"`
	AppSecretFile    string `desc:"a file that holds it"                                         envconfig:"JST_APP_SECRET_FILE"`
	AccessToken      string `desc:"the merchant's access token (partner: token)"                 envconfig:"JST_ACCESS_TOKEN"`
	AccessTokenFile  string `desc:"a file that holds it"                                         envconfig:"JST_ACCESS_TOKEN_FILE"`
	RefreshToken     string `desc:"the merchant's refresh token"                                 envconfig:"JST_REFRESH_TOKEN"`
	RefreshTokenFile string `desc:"a file that holds it"                                         envconfig:"JST_REFRESH_TOKEN_FILE"`
	RatePerSecond    string `default:"5"       desc:"calls a second that the ERP allows"         envconfig:"JST_RATE_PER_SECOND"`
	RatePerMinute    string `default:"100"     desc:"calls a minute that the ERP allows"         envconfig:"JST_RATE_PER_MINUTE"`

	HTTPAddr  string `default:":8080" desc:"where /healthz, /readyz and /metrics are served; off for nowhere" envconfig:"HTTP_ADDR"`
	LogLevel  string `default:"info"  desc:"debug, info, warn or error"                                       envconfig:"LOG_LEVEL"`
	LogFormat string `desc:"text or json; default text on a terminal, else json"                              envconfig:"LOG_FORMAT"`
}

// Config is the environment, parsed and checked.
type Config struct {
	NATS   stream.Config
	ERP    jushuitan.Config
	Source string
	// Start is where the first run begins, UTC; zero refuses to run without a checkpoint.
	Start                             time.Time
	Interval, Settle, Overlap, Window time.Duration
	// Cursor is "window" or "ts".
	Cursor string
	// SweepEvery 0 never sweeps.
	SweepEvery, SweepSpan time.Duration
	// AuditEvery 0 never audits by itself.
	AuditEvery, AuditSpan         time.Duration
	PageSize                      int
	Filter                        Filter
	HTTPAddr, LogLevel, LogFormat string
}

const (
	cursorWindow = "window"
	cursorTS     = "ts"

	// maxWindow is less than the seven days that the vendor allows, because a window is asked for with an edge before it.
	maxWindow = 167 * time.Hour
	// maxPageSize is the vendor's documented limit.
	maxPageSize = 50
)

// LoadConfig reads the environment. The error is a *setting.Problems that names everything that is wrong.
func LoadConfig(now func() time.Time) (Config, error) {
	var env Environment
	if err := envconfig.Process("", &env); err != nil {
		return Config{}, fmt.Errorf("read the environment: %w", err)
	}
	setting.FillDefaults(&env)
	var p setting.Parser
	cfg := env.parse(&p, now())
	cfg.ERP.Now = now
	env.parseERP(&p, &cfg.ERP)
	return cfg, p.Err()
}

// Defaults take the place of the environment's own defaults.
type Defaults struct {
	Source                           string
	Start, Interval, Settle, Overlap time.Duration
}

// LoadConfigFor is LoadConfig with an ERP given, whose JST_* variables are then not read but for the rates: juliu up points the
// extractor at its sandbox.
func LoadConfigFor(erp jushuitan.Config, now time.Time, d Defaults) (Config, error) {
	var env Environment
	if err := envconfig.Process("", &env); err != nil {
		return Config{}, fmt.Errorf("read the environment: %w", err)
	}
	setting.FillDefaults(&env)
	replace := func(name string, value *string, with string) {
		if os.Getenv(name) == "" {
			*value = with
		}
	}
	replace("EXTRACTOR_SOURCE", &env.Source, d.Source)
	replace("EXTRACTOR_START", &env.Start, d.Start.String())
	replace("EXTRACTOR_INTERVAL", &env.Interval, d.Interval.String())
	replace("EXTRACTOR_SETTLE", &env.Settle, d.Settle.String())
	replace("EXTRACTOR_OVERLAP", &env.Overlap, d.Overlap.String())
	var p setting.Parser
	cfg := env.parse(&p, now)
	cfg.ERP = erp
	env.parseRates(&p, &cfg.ERP)
	return cfg, p.Err()
}

// parse reads everything but the ERP.
func (env Environment) parse(p *setting.Parser, now time.Time) Config {
	cfg := Config{
		NATS:       env.NATS,
		Source:     env.Source,
		Start:      p.Time("EXTRACTOR_START", env.Start, now),
		Interval:   p.Duration("EXTRACTOR_INTERVAL", env.Interval, time.Second, time.Hour),
		Settle:     p.Duration("EXTRACTOR_SETTLE", env.Settle, 0, 24*time.Hour),
		Overlap:    p.Duration("EXTRACTOR_OVERLAP", env.Overlap, edge, 24*time.Hour),
		Window:     p.Duration("EXTRACTOR_WINDOW", env.Window, time.Minute, maxWindow),
		SweepEvery: p.Duration("EXTRACTOR_SWEEP_EVERY", env.SweepEvery, 0, 31*24*time.Hour),
		SweepSpan:  p.Duration("EXTRACTOR_SWEEP_SPAN", env.SweepSpan, time.Minute, 92*24*time.Hour),
		AuditEvery: p.Duration("EXTRACTOR_AUDIT_EVERY", env.AuditEvery, 0, 31*24*time.Hour),
		AuditSpan:  p.Duration("EXTRACTOR_AUDIT_SPAN", env.AuditSpan, time.Hour, maxAudit),
		Cursor:     p.OneOf("EXTRACTOR_CURSOR", env.Cursor, cursorWindow, cursorTS),
		PageSize:   p.Int("EXTRACTOR_PAGE_SIZE", env.PageSize, 1, maxPageSize),
		HTTPAddr:   env.HTTPAddr,
		LogLevel:   p.OneOf("LOG_LEVEL", env.LogLevel, "debug", "info", "warn", "error"), LogFormat: p.OneOf("LOG_FORMAT", env.LogFormat, "text", "json"),
		Filter: env.filter(p),
	}
	cfg.NATS.Name = "extractor"
	p.Unknown(os.Environ(), "EXTRACTOR_", env)
	p.Unknown(os.Environ(), "JST_", env)
	return cfg
}

func (env Environment) filter(p *setting.Parser) Filter {
	f := Filter{
		Status:       p.OneOf("EXTRACTOR_STATUS", env.Status, Statuses()...),
		OfflineShops: p.Bool("EXTRACTOR_OFFLINE_SHOPS", env.OfflineShops),
	}
	if f.Status == allStatuses {
		f.Status = ""
	}
	if env.ShopID != "" || f.OfflineShops {
		id := int64(p.Int("EXTRACTOR_SHOP_ID", env.ShopID, 0, 1<<62))
		f.ShopID = &id
	}
	return f
}

// parseERP reads the JST_* variables.
func (env Environment) parseERP(p *setting.Parser, erp *jushuitan.Config) {
	erp.BaseURL = p.URL("JST_BASE_URL", env.BaseURL, "https", "http")
	erp.Gateway = jushuitan.Gateway(p.OneOf("JST_GATEWAY", env.Gateway, string(jushuitan.OpenAPI), string(jushuitan.Partner)))
	erp.AppKey = env.AppKey
	erp.AppSecret = p.Secret("JST_APP_SECRET", env.AppSecret, env.AppSecretFile)
	erp.AccessToken = p.Secret("JST_ACCESS_TOKEN", env.AccessToken, env.AccessTokenFile)
	erp.RefreshToken = p.Secret("JST_REFRESH_TOKEN", env.RefreshToken, env.RefreshTokenFile)
	env.parseRates(p, erp)
	p.Required("JST_APP_KEY", erp.AppKey != "", "the app's key from the open platform's console")
	p.Required("JST_APP_SECRET", !erp.AppSecret.IsZero() || env.AppSecretFile != "", "the app's secret from the open platform's console")
	p.Required("JST_ACCESS_TOKEN", !erp.AccessToken.IsZero() || env.AccessTokenFile != "", "the merchant's access token")
}

func (env Environment) parseRates(p *setting.Parser, erp *jushuitan.Config) {
	erp.RatePerSecond = p.Int("JST_RATE_PER_SECOND", env.RatePerSecond, 1, 10_000)
	erp.RatePerMinute = p.Int("JST_RATE_PER_MINUTE", env.RatePerMinute, 1, 600_000)
}
