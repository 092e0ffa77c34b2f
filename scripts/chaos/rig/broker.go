package rig

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"juliu/pkg/embednats"
	"juliu/pkg/secret"
)

// serveBroker runs a NATS server, with the settings that juliu ships, until ctx ends. The token stands in a file, so that no command line
// shows it.
func serveBroker(ctx context.Context, dir string, port int, tokenFile string, log io.Writer) error {
	token, err := os.ReadFile(tokenFile) //nolint:gosec // The rig's own file.
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	logger := logrus.New()
	logger.SetOutput(log)
	server, err := embednats.Start(ctx, embednats.Options{Dir: dir, Port: port, Token: secret.New(strings.TrimSpace(string(token))), Log: logger})
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Close()
	return nil
}
