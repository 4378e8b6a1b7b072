package relay

import (
	"log/slog"
	"time"

	"github.com/millrace/millrace/app/fault"
)

// failureLog writes at most one line per second about publications that failed: when a broker goes away, thousands do.
type failureLog struct {
	connectionSuspect bool // that may be the connection's
	suppressed        int
	lastLine          time.Time
}

func (f *failureLog) add(log *slog.Logger, err error, now time.Time) {
	if fault.KindOf(err) != fault.Invalid { // a message that the broker rejects for good says nothing about the connection
		f.connectionSuspect = true
	}
	f.suppressed++
	if now.Sub(f.lastLine) < time.Second {
		return
	}
	log.Warn("publication failed and will be repeated", "rows", f.suppressed, "error", err)
	f.suppressed, f.lastLine = 0, now
}
