package webhook_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink/webhook"
)

// The vector is that of the reference libraries' own tests; the second secret's value is of another program.
func TestSignatureIsThatOfTheReferenceLibraries(t *testing.T) {
	t.Parallel()
	const old = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	for name, test := range map[string]struct{ secret, want string }{
		"one secret":          {aSecret, old},
		"both while rotating": {newSecret + " " + aSecret, "v1,qLfx310jmjK4/ip7HWZ1mbey+y6WaxOtOO7GGNEf9C4= " + old},
		"none":                {webhook.Unsigned, ""},
	} {
		s := open(t, config("http://127.0.0.1", func(c *webhook.Config) { c.Secret = secret.New(test.secret) }))
		if got := s.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestReceiversWithTheOldAndWithTheNewSecretVerify(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sent, known string
		ok          bool
	}{
		"before the change":                     {aSecret, aSecret, true},
		"while it changes, with the old":        {newSecret + " " + aSecret, aSecret, true},
		"while it changes, with the new":        {newSecret + " " + aSecret, newSecret, true},
		"after the change, with the new":        {newSecret, newSecret, true},
		"after the change, still with the old":  {newSecret, aSecret, false},
		"never, when nothing is signed":         {webhook.Unsigned, aSecret, false},
		"spaces and line breaks make no secret": {"  " + aSecret + "  ", aSecret, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.secret = test.known
			server := httptest.NewServer(r)
			t.Cleanup(server.Close)
			s := open(t, config(server.URL, func(c *webhook.Config) { c.Secret = secret.New(test.sent) }))
			err := s.Write(t.Context(), []record.Record{order(t, 1, 1)})
			if (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), "give it the secret of LOADER_WEBHOOK_SECRET") {
				t.Errorf("write: %v, want it taken: %t", err, test.ok)
			}
		})
	}
}

func TestASecretThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for text, fault := range map[string]string{
		"":                                    "is not set",
		"secret":                              "is not a Standard Webhooks secret",
		strings.TrimPrefix(aSecret, "whsec_"): "is not a Standard Webhooks secret",
		"whsec_":                              "is not a Standard Webhooks secret",
		"whsec_c2hvcnQ=":                      "is not a Standard Webhooks secret",
		"whsec_" + strings.Repeat("QUFB", 22): "is not a Standard Webhooks secret",
		"whsec_!!":                            "is not a Standard Webhooks secret",
		aSecret + " none":                     "is not a Standard Webhooks secret",
		aSecret + " " + newSecret + " " + aSecret: "holds more than two secrets",
	} {
		wrong := config("http://127.0.0.1", func(c *webhook.Config) { c.Secret = secret.New(text) }).Check()
		if len(wrong) != 1 || wrong[0].Part != webhook.PartSecret || wrong[0].Fault != fault {
			t.Errorf("%q: %v, want %s", text, wrong, fault)
		}
	}
}
