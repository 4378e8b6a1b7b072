package router

import (
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/fault"
)

// errNotDone is what Watermill hears of a message that is not acknowledged. Why was logged here; Watermill's own line about it is
// left out by quiet.
var errNotDone = errors.New("the message was not acknowledged")

// observe is the edge: it counts and times what became of the delivery, and writes the one line about its failure.
func (c *consumer) observe(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		h, start := of(msg), c.cfg.Now()
		_, err := next(msg)
		took := c.cfg.Now().Sub(start)
		c.metrics.handled(c.name, h.event.Type, h.outcome, took)
		ctx := msg.Context()
		log := c.cfg.Logger.With(
			slog.String("consumer", c.name), slog.String("event_id", h.event.ID), slog.String("outcome", string(h.outcome)))
		if err == nil {
			log.DebugContext(ctx, "message handled", slog.Duration("took", took))
			return nil, nil
		}
		reason, _ := describe(err)
		log.Log(ctx, level(h.outcome), "message not handled",
			slog.String("kind", fault.KindOf(err).String()),
			slog.String("reason", reason),
			slog.Int("attempt", max(h.total, h.attempts)),
			slog.String("subject", h.subject),
			slog.Duration("back_in", h.delivery.NackDelay()))
		if h.outcome == poisoned || h.outcome == superseded {
			return nil, nil
		}
		return nil, errNotDone
	}
}

// level is that of a failure's line: what settles itself needs nobody's attention.
func level(o outcome) slog.Level {
	switch o {
	case poisoned:
		return slog.LevelError
	case failed:
		return slog.LevelWarn
	case handled, early, paused, left, superseded:
	}
	return slog.LevelDebug
}
