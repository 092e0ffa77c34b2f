package embednats_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"juliu/pkg/embednats"
)

// The servers that the power is cut of; childSettings tells the test binary which one to be.
const (
	childSettings = "EMBEDNATS_TEST_SETTINGS"

	embedded = "pkg/embednats"
	deployed = "deploy/nats/nats.conf"
	// unsynced is the deployed server with the default of the one setting that matters, to flush every two minutes.
	unsynced = "deploy/nats/nats.conf without sync_interval"
)

// serve runs the server of a child process and returns its URL.
func serve(dir, settings string) (string, error) {
	if settings == "" || settings == embedded {
		s, err := embednats.Start(context.Background(), embednats.Options{Dir: dir, Log: quiet()})
		if err != nil {
			return "", err
		}
		return s.URL(), nil
	}
	options, err := server.ProcessConfigFile(filepath.Join("..", "..", filepath.FromSlash(deployed)))
	if err != nil {
		return "", fmt.Errorf("read the configuration: %w", err)
	}
	options.Host, options.Port, options.HTTPPort, options.NoSigs, options.StoreDir = "127.0.0.1", server.RANDOM_PORT, 0, true, dir
	if settings == unsynced {
		options.SyncAlways, options.SyncInterval = false, 0
	}
	s, err := server.NewServer(options)
	if err != nil {
		return "", fmt.Errorf("configure the server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return "", errors.New("the server does not start")
	}
	address := url.URL{Scheme: "nats", Host: s.Addr().String()}
	return address.String(), nil
}

// spawn runs a server in a process of its own until ctx ends, and returns its URL.
func spawn(ctx context.Context, dir, settings string) (*exec.Cmd, string, error) {
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, childSettings+"="+settings)
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, "", fmt.Errorf("listen to the child: %w", err)
	}
	if _, err := child.StdinPipe(); err != nil {
		return nil, "", fmt.Errorf("hold the child: %w", err)
	}
	if err := child.Start(); err != nil {
		return nil, "", fmt.Errorf("start the child: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "nats://") {
		_ = child.Process.Kill()
		_ = child.Wait()
		return nil, "", fmt.Errorf("the child says %q, %w", line, err)
	}
	return child, strings.TrimSpace(line), nil
}
