package natsjs

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// serverLog passes what the embedded server warns of on to our log, and hears when its store fails. What it merely notices stays out of it.
type serverLog struct {
	logger      *slog.Logger
	fatal       chan string
	storeFailed chan string // with the reason

	mu       sync.Mutex
	starting bool
	failure  string // the first while starting
}

func newServerLog(logger *slog.Logger) *serverLog {
	return &serverLog{logger: logger, fatal: make(chan string, 1), storeFailed: make(chan string, 1)}
}

// begin forgets what the server before said: from now on another one starts.
func (l *serverLog) begin() {
	l.mu.Lock()
	l.starting, l.failure = true, ""
	l.mu.Unlock()
	for _, c := range []chan string{l.fatal, l.storeFailed} {
		select {
		case <-c:
		default:
		}
	}
}

// began ends a start, and returns what failed in it.
func (l *serverLog) began() (reason string, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starting = false
	return l.failure, l.failure != ""
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
	text := fmt.Sprintf(format, v...)
	l.note(text)
	l.logger.Warn("embedded broker warns", slog.String("text", text))
}

// Errorf logs an error.
func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.note(text)
	l.logger.Error("embedded broker failed at something", slog.String("text", text))
}

// lasting are the errors behind which the store does not work until the server is started anew: it keeps refusing what it could not write
// once, and what was reckoned at its start is too little.
var lasting = []string{"ritical write error", "will be DISABLED", "resource limits exceeded", "disabling JetStream"}

// shortages are why a server that starts leaves files out that it could read a moment later.
var shortages = []string{"too many open files", "no space left"}

// note hears what the store's failures are told by: the server has no other way.
func (l *serverLog) note(text string) {
	l.mu.Lock()
	if l.starting && l.failure == "" && mentionsAny(text, shortages) {
		l.failure = text
	}
	l.mu.Unlock()
	if mentionsAny(text, lasting) {
		select {
		case l.storeFailed <- text:
		default:
		}
	}
}

func mentionsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
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
