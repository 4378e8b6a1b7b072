package router

import (
	"context"
	"time"
)

// wait waits for d. It is false where ctx ended or over, which may be nil, was closed first.
func wait(ctx context.Context, over <-chan struct{}, d time.Duration) bool {
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
