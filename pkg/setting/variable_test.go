package setting_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/setting"
)

// shared is a part of several environments.
type shared struct {
	URL  string `desc:"where the server is" envconfig:"NATS_URL"`
	Name string `ignored:"true"`
}

// environment is one as a service has it.
type environment struct {
	NATS    shared
	Sink    string `default:"noop" desc:"noop | jsonl"   envconfig:"LOADER_SINK"`
	Workers string `default:"8"    desc:"writes at once" envconfig:"LOADER_WORKERS"`
}

func TestOnlyEmptyFieldsGetTheirDefaults(t *testing.T) {
	t.Parallel()
	env := environment{Workers: "3", Sink: " "}
	setting.FillDefaults(&env)
	if want := (environment{Sink: "noop", Workers: "3"}); env != want {
		t.Errorf("%+v, want %+v", env, want)
	}
}

func TestTheTableShowsEveryVariable(t *testing.T) {
	t.Parallel()
	const want = "| name | default | meaning |\n| --- | --- | --- |\n" +
		"| `NATS_URL` |  | where the server is |\n" +
		"| `LOADER_SINK` | `noop` | noop \\| jsonl |\n" +
		"| `LOADER_WORKERS` | `8` | writes at once |\n"
	if diff := cmp.Diff(want, setting.Table(environment{})); diff != "" {
		t.Error(diff)
	}
}

func TestAMisspeltVariableIsToldWithTheNearestName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		entry, fault string
	}{
		"a known one":               {"LOADER_SINK=jsonl", ""},
		"one of somebody else":      {"POSTGRES_URL=x", ""},
		"one of another prefix":     {"EXTRACTOR_SNIK=x", ""},
		"an empty one":              {"LOADER_SNIK=", ""},
		"one without a value":       {"LOADER_SNIK", ""},
		"letters that are swapped":  {"LOADER_SNIK=x", "LOADER_SNIK is not a setting; did you mean LOADER_SINK?"},
		"a letter too many":         {"LOADER_WORKERSS=x", "LOADER_WORKERSS is not a setting; did you mean LOADER_WORKERS?"},
		"a word that was forgotten": {"LOADER_WORKER=x=y", "LOADER_WORKER is not a setting; did you mean LOADER_WORKERS?"},
		"what Kubernetes sets":      {"LOADER_PORT_8080_TCP_ADDR=10.0.0.1", ""},
		"lower case":                {"loader_sink=x", "loader_sink is not a setting; did you mean LOADER_SINK?"},
		"nothing like it":           {"LOADER_MAXIMUM_PARALLELISM=x", "LOADER_MAXIMUM_PARALLELISM is not a setting; unset it; docs/configuration.md lists all settings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p setting.Parser
			p.Unknown([]string{"PATH=/bin", test.entry}, "LOADER_", environment{})
			switch err := p.Err(); {
			case err == nil && test.fault != "":
				t.Errorf("no problem, want %q", test.fault)
			case err != nil && err.Error() != "read settings: "+test.fault:
				t.Errorf("problem %q, want %q", err, test.fault)
			}
		})
	}
}
