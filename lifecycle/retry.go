package lifecycle

import (
	"context"
	"time"

	"github.com/millrace/millrace/app/backoff"
)

const (
	attemptTimeout = time.Minute            // bounds one attempt of a step at the start
	shortestPause  = 200 * time.Millisecond // before the second attempt, doubled before each further one
	longestPause   = 5 * time.Second
)

// retry calls step until it succeeds, with exponential backoff, and logs each failure. The error is a permanent one of step, or ctx's.
func (s *Service) retry(ctx context.Context, what string, step func(context.Context) error) error {
	for n := 1; ; n++ {
		err := attempt(ctx, step)
		if err == nil || backoff.IsPermanent(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := backoff.Jitter(backoff.Exponential(shortestPause, longestPause, n))
		s.log.WarnContext(ctx, "not ready yet, trying again", "what", what, "again_in", pause.Round(time.Millisecond).String(),
			"advice", s.cfg.Advice(err), "error", err)
		if !backoff.Wait(ctx, nil, pause) {
			return ctx.Err()
		}
	}
}

func attempt(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return step(ctx)
}
