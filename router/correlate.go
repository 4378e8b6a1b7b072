package router

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/correlation"
)

// correlate stores the correlation ID of the message, and its event ID as causation ID, in the context of the message, so that what the
// handler publishes carries both. Without a valid correlation ID the event ID is used, which is the same at each delivery.
// (Watermill's CorrelationID covers only messages that the handler returns.)
func (c *consumer) correlate(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		ctx, h := c.begin(msg.Context(), msg)
		ids := correlation.IDs{Correlation: h.event.CorrelationID}
		if correlation.Valid(h.event.ID) {
			ids.Causation = h.event.ID
		}
		if !correlation.Valid(ids.Correlation) {
			ids.Correlation = ids.Causation
		}
		msg.SetContext(correlation.With(ctx, ids))
		return next(msg)
	}
}
