// Package logging sets up the log of a process and names its fields.
//
// Code below main takes a logrus.FieldLogger; it writes constant messages and puts facts into the fields named here. A hook masks
// the values of fields whose names promise a secret or personal data. It is the second net: the first is not to log them.
package logging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/term"
)

// The values of LOG_FORMAT.
const (
	// Text is for people: one line of key=value pairs.
	Text = "text"
	// JSON is for machines: one object a line with time (RFC 3339, nanoseconds), level, msg and the fields.
	JSON = "json"
)

// New returns a log that writes to out. Level is one of logrus's names ("debug", "info", "warn", "error" …), "info" when empty. Format
// is Text or JSON; when empty it is Text if out is a terminal and JSON otherwise. Anything else is an error that does not repeat
// the value.
func New(level, format string, out io.Writer) (*logrus.Logger, error) {
	log := logrus.New()
	log.SetOutput(out)
	if level != "" {
		parsed, err := logrus.ParseLevel(level)
		if err != nil {
			// logrus repeats the value in its error.
			return nil, errors.New("read log level: not a level; use debug, info, warn or error")
		}
		log.SetLevel(parsed)
	}
	switch {
	case format == Text, format == "" && isTerminal(out):
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: time.RFC3339})
	case format == JSON, format == "":
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	default:
		return nil, fmt.Errorf("read log format: not a format; use %s or %s", Text, JSON)
	}
	log.AddHook(redaction{})
	return log, nil
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
