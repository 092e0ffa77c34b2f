package loader

import (
	"errors"
	"strings"

	"juliu/pkg/setting"
	"juliu/pkg/sink/webhook"
)

// WebhookEnvironment is every variable of the sink webhook.
type WebhookEnvironment struct {
	URL        string `desc:"the receiver's https address, e.g. https://erp.example/juliu; required"                                    envconfig:"LOADER_WEBHOOK_URL"`
	URLFile    string `desc:"a file that holds it"                                                                                       envconfig:"LOADER_WEBHOOK_URL_FILE"`
	Secret     string `desc:"whsec_ and the base64 of 24 to 64 random bytes, or two of them while one is replaced; none sends unsigned" envconfig:"LOADER_WEBHOOK_SECRET"`
	SecretFile string `desc:"a file that holds it"                                                                                       envconfig:"LOADER_WEBHOOK_SECRET_FILE"`
	Allow      string `desc:"hosts and networks that may be reached though not public, separated by commas: erp.internal, 10.1.0.0/16" envconfig:"LOADER_WEBHOOK_ALLOW"`
	Batch      string `default:"1" desc:"records of one request, 1 to 100; above 1 the body is {\"events\":[…]}"                           envconfig:"LOADER_WEBHOOK_BATCH"`
}

// parse reads the settings and checks them together.
func (env WebhookEnvironment) parse(p *setting.Parser) webhook.Config {
	const prefix = "LOADER_WEBHOOK_"
	var own setting.Parser
	cfg := webhook.Config{
		URL:    own.Secret(prefix+"URL", env.URL, env.URLFile),
		Secret: own.Secret(prefix+"SECRET", env.Secret, env.SecretFile),
		Allow:  env.Allow,
		Batch:  own.Int(prefix+"BATCH", env.Batch, 1, webhook.MaxBatch),
	}
	told := map[string]bool{} // a file that cannot be read is not told a second time, as a secret that is not set
	if problems, ok := errors.AsType[*setting.Problems](own.Err()); ok {
		for _, problem := range problems.All {
			p.Problem(problem.Name, problem.Fault, problem.Remedy)
			told[strings.TrimSuffix(problem.Name, "_FILE")] = true
		}
	}
	for _, wrong := range cfg.Check() {
		if name := prefix + strings.ToUpper(string(wrong.Part)); !told[name] {
			p.Problem(name, wrong.Fault, wrong.Remedy)
		}
	}
	return cfg
}
