package router

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// repeatEvery is how often a failure that concerns every message is logged.
const repeatEvery = 10 * time.Second

// repeatedLog writes a line that would come with every message once a while. It is safe for concurrent use.
type repeatedLog struct {
	mu     sync.Mutex
	last   time.Time
	silent int // lines that were left out since the last one
}

// error logs message with err, unless it did so lately.
func (l *repeatedLog) error(ctx context.Context, log *slog.Logger, now time.Time, message string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < repeatEvery {
		l.silent++
		return
	}
	log.ErrorContext(ctx, message, "error", err, "not_logged", l.silent) //nolint:sloglint // constant at its callers
	l.last, l.silent = now, 0
}
