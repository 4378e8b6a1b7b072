package router

import (
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// debugLogger is the logger of Watermill's router. It lowers info to debug and drops the errors of messages, which observe has logged.
type debugLogger struct{ watermill.LoggerAdapter }

func newDebugLogger(log *slog.Logger) debugLogger {
	return debugLogger{watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})}
}

// Error implements watermill.LoggerAdapter.
func (q debugLogger) Error(msg string, err error, fields watermill.LogFields) {
	if errors.Is(err, errNotAcknowledged) {
		return
	}
	q.LoggerAdapter.Error(msg, err, fields)
}

// With implements watermill.LoggerAdapter.
func (q debugLogger) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return debugLogger{q.LoggerAdapter.With(fields)}
}
