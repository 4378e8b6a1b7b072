package router

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/fault"
)

// errAttemptTimeout is the failure of an attempt that exceeded AttemptTimeout. Like other internal failures it is retried.
var errAttemptTimeout = fault.New(fault.Internal, "attempt_timeout", "The attempt took too long.")

// attempt limits each attempt to AttemptTimeout and restores the context of the message afterwards. (Watermill's Timeout would leave the
// expired context to the next attempt.)
func (c *consumer) attempt(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		outer := msg.Context()
		ctx, cancel := context.WithTimeout(outer, c.cfg.AttemptTimeout)
		defer cancel()
		defer msg.SetContext(outer)
		msg.SetContext(ctx)
		_, err := next(msg)
		if err != nil && outer.Err() == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && fault.Cancelled(err) {
			return nil, errAttemptTimeout.Because(err)
		}
		return nil, err
	}
}
