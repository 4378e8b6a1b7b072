package natsjs

import (
	"fmt"
	"log/slog"
	"strings"
)

// serverLog passes what the embedded server warns of on to our log. What it merely notices stays out of it.
type serverLog struct {
	logger *slog.Logger
	fatal  chan string
}

// Noticef drops what is no trouble.
func (l *serverLog) Noticef(string, ...any) {}

// Debugf drops what is no trouble.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef drops what is no trouble.
func (l *serverLog) Tracef(string, ...any) {}

// plaintext is what the server warns of wherever a password is not hashed. Ours comes from the environment and stays in memory.
const plaintext = "Plaintext passwords detected"

// Warnf logs a warning.
func (l *serverLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, plaintext) {
		return
	}
	l.logger.Warn("embedded broker warns", slog.String("text", fmt.Sprintf(format, v...)))
}

// Errorf logs an error.
func (l *serverLog) Errorf(format string, v ...any) {
	l.logger.Error("embedded broker failed at something", slog.String("text", fmt.Sprintf(format, v...)))
}

// Fatalf logs what ends the server. The process is not ended: the server's starter hears of it.
func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.logger.Error("embedded broker stopped", slog.String("text", text))
	select {
	case l.fatal <- text:
	default:
	}
}
