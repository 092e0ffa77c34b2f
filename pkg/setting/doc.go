// Package setting turns the strings of an environment into values and tells the operator of every mistake at once.
//
// A service's config.go reads the environment into a struct whose fields are all strings, so that reading never fails on the first
// bad value, and hands them to a Parser:
//
//	type environment struct {
//		Settle string `default:"60s" desc:"how far behind now a window ends" envconfig:"EXTRACTOR_SETTLE"`
//	}
//
//	setting.FillDefaults(&env)
//	var p setting.Parser
//	cfg.Settle = p.Duration("EXTRACTOR_SETTLE", env.Settle, time.Second, time.Hour)
//	return cfg, p.Err()
//
// An empty string means not set, because docker-compose passes ${X:-} as one. Values never appear in an error: they may be secrets.
// The package reads files that hold secrets but never the environment itself.
package setting
