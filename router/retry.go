package router

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/backoff"
)

// retry runs the attempts of a delivery, with jittered backoff, as long as the policy allows another one. It returns the last error of the
// handler. (Watermill's Retry returns the error of the context when that ends, and its hooks lengthen the backoff.)
func (c *consumer) retry(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		h, ctx := stateOf(msg), msg.Context()
		for n := 1; ; n++ {
			h.attempts = n
			_, err := next(msg)
			if err == nil {
				return nil, nil
			}
			c.metrics.attemptFailed(c.name, err)
			if n == c.cfg.Attempts || c.decide(ctx, err) != tryAgain {
				return nil, err
			}
			if !backoff.Wait(ctx, c.closing, c.quickBackoff(n)) {
				return nil, err
			}
		}
	}
}

// quickBackoff returns the pause after attempt n: one half is fixed, the other is jitter.
func (c *consumer) quickBackoff(n int) time.Duration {
	d := c.cfg.QuickBackoff << (n - 1)
	return d/2 + time.Duration(c.cfg.Jitter()*float64(d/2))
}
