package router

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/correlation"
)

// correlate puts the message's correlation ID into its context and its event ID as causation, so that whatever the handler
// publishes is linked to both. A message without a usable correlation ID begins a line of its own, under its event ID: the
// same one at each delivery. (Watermill's CorrelationID reaches only messages that the handler returns.)
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
