package router

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/backoff"
)

// retry makes the quick attempts of a delivery, with a jittered pause between them, as long as the policy has hope in another one.
// It answers the handler's last error. (Watermill's Retry answers the context's error when that ends, and its hooks lengthen its
// pauses.)
func (c *consumer) retry(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		h, ctx := of(msg), msg.Context()
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
			if !backoff.Wait(ctx, c.closing, c.quickPause(n)) {
				return nil, err
			}
		}
	}
}

// quickPause is the pause behind attempt n: half of it is fixed, the other half drawn.
func (c *consumer) quickPause(n int) time.Duration {
	d := c.cfg.QuickBackoff << (n - 1)
	return d/2 + time.Duration(c.cfg.Jitter()*float64(d/2))
}
