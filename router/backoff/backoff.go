// Package backoff says how long to pause between attempts, and pauses.
package backoff

import (
	"context"
	"time"
)

// Exponential returns the pause behind the nth failure: least, doubled with each further one, at most most.
func Exponential(least, most time.Duration, n int) time.Duration {
	d := least
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}

// Wait waits for d. It reports false where ctx ended first, or over, which may be nil, was closed.
func Wait(ctx context.Context, over <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-over:
		return false
	}
}
