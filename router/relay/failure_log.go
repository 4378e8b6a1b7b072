package relay

import (
	"log/slog"
	"time"

	"github.com/millrace/millrace/app/fault"
)

// failureLog writes at most one line per second about publications that failed: when a broker goes away, thousands do.
type failureLog struct {
	any    bool // that may be the connection's
	silent int
	spoke  time.Time
}

func (f *failureLog) add(log *slog.Logger, err error, now time.Time) {
	f.any = f.any || fault.KindOf(err) != fault.Invalid // what the broker refuses for good says nothing of the connection
	f.silent++
	if now.Sub(f.spoke) < time.Second {
		return
	}
	log.Warn("publication failed and will be repeated", "rows", f.silent, "error", err)
	f.silent, f.spoke = 0, now
}
