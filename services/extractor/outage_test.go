package extractor_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	logrustest "github.com/sirupsen/logrus/hooks/test"

	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
)

func TestExtractorWaitsForNATSWhenItIsLostAtTheBeginning(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.Config{Orders: 120})
	log, told := logrustest.NewNullLogger()
	b.log = log
	e := b.extractor(t, b.conn)
	b.nats.Close()
	waits := func() bool {
		for _, entry := range told.AllEntries() {
			if err, ok := entry.Data["error"].(error); ok && strings.Contains(err.Error(), "connection to NATS lost") {
				return true
			}
		}
		return false
	}
	back := false
	done := caughtUp(e)
	if err := runUntil(t, e, func() bool {
		if !back && waits() {
			b.restart(t)
			back = true
		}
		return back && done()
	}); err != nil {
		t.Fatal(err)
	}
	if !back {
		t.Fatal("it did not say that the connection is lost")
	}
	b.compare(t)
}

// restart runs the server again where it was.
func (b *bench) restart(t *testing.T) {
	t.Helper()
	where, err := url.Parse(b.nats.URL())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(where.Port())
	if err != nil {
		t.Fatal(err)
	}
	token := secret.New(where.User.Username())
	b.nats, err = embednats.Start(t.Context(), embednats.Options{Dir: b.dir, Port: port, Token: token, Log: b.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.nats.Close)
}
