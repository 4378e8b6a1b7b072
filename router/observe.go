package router

import (
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/fault"
)

// errNotAcknowledged is what Watermill receives for a message that is not acknowledged. observe has logged the cause, and debugLogger drops
// Watermill's own line.
var errNotAcknowledged = errors.New("the message was not acknowledged")

// observe counts and times each delivery and logs it in one line: handled events at level info, so that a correlation ID can be followed
// through the log.
func (c *consumer) observe(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		h, start := stateOf(msg), c.cfg.Now()
		_, err := next(msg)
		took := c.cfg.Now().Sub(start)
		c.metrics.handled(c.name, h.event.Type, h.outcome, took)
		ctx := msg.Context()
		log := c.cfg.Logger
		if err == nil {
			log.LogAttrs(ctx, slog.LevelInfo, "event handled", append(c.attributes(msg, h), slog.Duration("took", took))...)
			return nil, nil
		}
		if at := level(h); log.Enabled(ctx, at) {
			reason, _ := describe(err)
			log.LogAttrs(ctx, at, "message not handled", append(c.attributes(msg, h),
				slog.String("outcome", string(h.outcome)),
				slog.String("kind", fault.KindOf(err).String()),
				slog.String("reason", reason),
				slog.Int("attempt", max(h.total, h.attempts)),
				slog.String("subject", h.subject),
				slog.Duration("back_in", h.delivery.NackDelay()))...)
		}
		if h.outcome == poisoned || h.outcome == superseded {
			return nil, nil
		}
		return nil, errNotAcknowledged
	}
}

// attributes returns what identifies a delivery in the log.
func (c *consumer) attributes(msg *message.Message, h *deliveryState) []slog.Attr {
	return []slog.Attr{
		slog.String("consumer", c.name),
		slog.String("type", h.event.Type),
		slog.String("key", h.event.Key),
		slog.String("event_id", h.event.ID),
		slog.String("correlation_id", correlation.From(msg.Context()).Correlation),
	}
}

// level returns the level at which a delivery that was not handled is logged: debug unless an attempt failed. Where failures cannot be
// stored, that is logged, and not each message.
func level(h *deliveryState) slog.Level {
	if h.unstored {
		return slog.LevelDebug
	}
	switch h.outcome {
	case poisoned:
		return slog.LevelError
	case failed:
		return slog.LevelWarn
	case handled, early, paused, leftUnacked, superseded:
	}
	return slog.LevelDebug
}
