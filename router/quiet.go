package router

import (
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// quiet is Watermill's logger: its accounts of its own work are for debugging, and of a message that failed observe has written
// already.
type quiet struct{ watermill.LoggerAdapter }

func newQuiet(log *slog.Logger) quiet {
	return quiet{watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})}
}

// Error implements watermill.LoggerAdapter.
func (q quiet) Error(msg string, err error, fields watermill.LogFields) {
	if errors.Is(err, errNotDone) {
		return
	}
	q.LoggerAdapter.Error(msg, err, fields)
}

// With implements watermill.LoggerAdapter.
func (q quiet) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return quiet{q.LoggerAdapter.With(fields)}
}
