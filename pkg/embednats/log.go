package embednats

import (
	"fmt"

	"github.com/sirupsen/logrus"

	"juliu/pkg/logging"
)

// serverLog hands the server's own lines to a logger: its warnings and errors as such, the rest as debug. It implements server.Logger.
type serverLog struct {
	log   logrus.FieldLogger
	fatal chan error
}

func newServerLog(log logrus.FieldLogger) *serverLog {
	return &serverLog{log: log, fatal: make(chan error, 1)}
}

func (l *serverLog) entry(format string, v ...any) logrus.FieldLogger {
	return l.log.WithField(logging.Detail, fmt.Sprintf(format, v...))
}

// Noticef logs what the server calls a notice, as debug.
func (l *serverLog) Noticef(format string, v ...any) { l.entry(format, v...).Debug("nats server") }

// Debugf logs as debug.
func (l *serverLog) Debugf(format string, v ...any) { l.entry(format, v...).Debug("nats server") }

// Tracef logs as debug. The server traces messages, which hold personal data, only when asked to; it never is.
func (l *serverLog) Tracef(format string, v ...any) { l.entry(format, v...).Debug("nats server") }

// Warnf logs a warning.
func (l *serverLog) Warnf(format string, v ...any) { l.entry(format, v...).Warn("nats server") }

// Errorf logs an error.
func (l *serverLog) Errorf(format string, v ...any) { l.entry(format, v...).Error("nats server") }

// Fatalf keeps the first reason why the server cannot run, for Start to return.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...): //nolint:err113 // the server's own words
	default:
	}
}
