// Package backoff says how long to pause between attempts, and pauses. It is the only backoff of this module.
package backoff

import (
	"context"
	"errors"
	"math/rand/v2"
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

// Jitter returns a random pause between half of d and one and a half of it, so that replicas that failed together do not try again
// together.
func Jitter(d time.Duration) time.Duration { return d/2 + rand.N(max(d, 1)) } //nolint:gosec // no secret

// permanent is an error that no further attempt can mend.
type permanent struct{ error }

// Unwrap returns the error itself.
func (p permanent) Unwrap() error { return p.error }

// Permanent marks err as one that no further attempt can mend. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether err, or one that it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[permanent](err)
	return ok
}
