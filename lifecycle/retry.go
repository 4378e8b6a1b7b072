package lifecycle

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// attemptTimeout bounds one attempt of a step at the start.
const attemptTimeout = time.Minute

// retry calls step until it succeeds, with exponential backoff, and logs each failure. The error is that of a step that failed for good
// (backoff.Permanent), or ctx's.
func (s *Service) retry(ctx context.Context, what string, step func(context.Context) error) error {
	attempt := func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
		return struct{}{}, step(ctx)
	}
	failed := func(err error, wait time.Duration) {
		s.log.WarnContext(ctx, "not ready yet, trying again", "what", what, "again_in", wait.Round(time.Millisecond).String(),
			"advice", s.cfg.Advice(err), "error", err)
	}
	_, err := backoff.Retry(ctx, attempt, backoff.WithNotify(failed), backoff.WithMaxElapsedTime(0), // without an end
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: 200 * time.Millisecond, MaxInterval: 5 * time.Second,
			Multiplier: 2, RandomizationFactor: backoff.DefaultRandomizationFactor,
		}))
	return err
}
