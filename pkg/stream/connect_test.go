package stream_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

func TestConnectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{})
	address, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	closed := serve(t, embednats.Options{})
	gone := closed.URL()
	closed.Close()
	missing := filepath.Join(folder(t), "missing")
	malformed := filepath.Join(folder(t), "malformed.json")
	if err := os.WriteFile(malformed, []byte(`{"url":"nats://me:s3cret%@127.0.0.1:1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cfg  stream.Config
		exit int
		says string
	}{
		"no server there":              {stream.Config{URL: gone}, 1, "start the server or set NATS_URL"},
		"no such host":                 {stream.Config{URL: "nats://s3cret@nats.invalid:4222"}, 1, "nats://nats.invalid:4222"},
		"a wrong token":                {stream.Config{URL: "nats://s3cret@" + address.Host}, 2, "NATS_CREDS"},
		"a wrong user":                 {stream.Config{URL: "nats://me:s3cret@" + address.Host}, 2, "Authorization Violation"},
		"no token":                     {stream.Config{URL: "nats://" + address.Host}, 2, "password in NATS_URL"},
		"TLS on a server without":      {stream.Config{URL: "tls://" + address.User.Username() + "@" + address.Host}, 2, "NATS_CA"},
		"not a URL":                    {stream.Config{URL: "nats://me:s3cret%@" + address.Host}, 2, "%XX"},
		"a slash in the password":      {stream.Config{URL: "nats://me:s3/cret@" + address.Host}, 2, "%XX"},
		"credentials that are missing": {stream.Config{URL: server.URL(), Creds: missing}, 2, "NATS_CREDS"},
		"a seed that is missing":       {stream.Config{URL: server.URL(), NKey: missing}, 2, "NATS_NKEY"},
		"an authority that is missing": {stream.Config{URL: server.URL(), CA: missing}, 2, "NATS_CA"},
		"a context that is missing":    {stream.Config{Context: "no-such-context-of-juliu"}, 2, "no-such-context-of-juliu"},
		"a context whose URL is none":  {stream.Config{Context: malformed}, 2, "%XX"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			conn, err := stream.Connect(ctx, tc.cfg, quiet())
			if err == nil {
				conn.Close()
				t.Fatal("connected")
			}
			failure, ok := errors.AsType[*stream.ConnectError](err)
			if !ok || failure.ExitCode() != tc.exit || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v; want exit code %d and %q", err, tc.exit, tc.says)
			}
			for _, secret := range []string{"s3cret", "s3", address.User.Username()} {
				if strings.Contains(err.Error()+fmt.Sprintf("%v %+v", tc.cfg, tc.cfg), secret) {
					t.Errorf("the error or the configuration shows a secret: %v, %v", err, tc.cfg)
				}
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestConnectFollowsAContextOfTheCLI(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{})
	file := filepath.Join(folder(t), "local.json")
	if err := os.WriteFile(file, []byte(`{"url":"`+server.URL()+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	// The context goes before the URL, where nobody listens.
	conn, err := stream.Connect(t.Context(), stream.Config{Context: file, URL: "nats://127.0.0.1:1"}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestReadyTellsWhetherTheStreamAnswers(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := serve(t, embednats.Options{Dir: dir})
	same := sameAddress(t, dir, server)
	conn := connect(t, server.URL())
	if err := conn.Ready(t.Context()); err == nil {
		t.Error("ready without a stream")
	}
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ready(t.Context()); err != nil || !conn.Connected() {
		t.Errorf("connected %v, %v", conn.Connected(), err)
	}
	server.Close()
	eventually(t, "the connection is lost", func() bool { return !conn.Connected() })
	if err := conn.Ready(t.Context()); err == nil {
		t.Error("ready without a server")
	}
	serve(t, same)
	eventually(t, "it is ready again", func() bool { return conn.Ready(t.Context()) == nil })
}

func TestConnectWaitsForAServerThatStarts(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := serve(t, embednats.Options{Dir: dir})
	same, where := sameAddress(t, dir, server), server.URL()
	server.Close()
	result := make(chan error, 1)
	go func() {
		conn, err := stream.Connect(t.Context(), stream.Config{URL: where}, quiet())
		if err == nil {
			conn.Close()
		}
		result <- err
	}()
	serve(t, same)
	if err := <-result; err != nil {
		t.Error(err)
	}
}
