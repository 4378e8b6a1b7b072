package router

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/fault"
)

// errAttemptTimeout is an attempt that ran into its own time limit: a failure like any other that nobody classified.
var errAttemptTimeout = fault.New(fault.Internal, "attempt_timeout", "The attempt took too long.")

// attempt gives each attempt a time limit of its own and the message its context back afterwards. (Watermill's Timeout leaves the
// ended context to the next attempt.)
func (c *consumer) attempt(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		whole := msg.Context()
		ctx, cancel := context.WithTimeout(whole, c.cfg.AttemptTimeout)
		defer cancel()
		defer msg.SetContext(whole)
		msg.SetContext(ctx)
		_, err := next(msg)
		if err != nil && whole.Err() == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && fault.Cancelled(err) {
			return nil, errAttemptTimeout.Because(err)
		}
		return nil, err
	}
}
