package router

import (
	"context"
	"errors"
	"maps"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/inbox"
)

// errPaused is the error of a message that waited longer than PauseWait for a pause to end.
var errPaused = fault.New(fault.Unavailable, "paused", "The service's consumers are paused.")

// poison applies the policy to what the attempts could not handle: it counts failures, delays the redelivery, and gives up. It returns nil
// if the message was handled, otherwise the last error; observe acknowledges by the outcome. (Watermill's PoisonQueue would give up what
// a shutdown interrupted, and would not retry later.)
func (c *consumer) poison(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		h, ctx := stateOf(msg), msg.Context()
		if !c.breaker.wait(ctx, c.cfg.PauseWait) {
			c.handleFailure(ctx, h, msg, errPaused)
			return nil, errPaused
		}
		if h.rejected != nil {
			c.handleFailure(ctx, h, msg, h.rejected)
			return nil, h.rejected
		}
		_, err := next(msg)
		if err == nil {
			h.outcome = handled
			return nil, nil
		}
		c.handleFailure(ctx, h, msg, err)
		return nil, err
	}
}

func (c *consumer) handleFailure(ctx context.Context, h *deliveryState, msg *message.Message, err error) {
	switch c.decide(ctx, err) {
	case leaveUnacked:
		h.leaveUnacknowledged()
	case redeliver:
		h.redeliver(early, earlyDelay(err, h.delivery.Count))
	case pauseConsumers:
		if !errors.Is(err, errPaused) {
			c.breaker.trip(ctx, err)
		}
		h.redeliver(paused, backoff.Exponential(pauseMin, pauseMax, h.delivery.Count))
	case tryAgain:
		if c.neverPoison {
			h.redeliver(failed, backoff.Exponential(earlyMin, neverPoisonMax, h.delivery.Count))
			return
		}
		c.recordFailure(ctx, h, failure(c.name, h, msg, err), false)
	case giveUp:
		c.recordFailure(ctx, h, failure(c.name, h, msg, err), true)
	}
}

// decide applies the policy to the state of this consumer. While it is closing, messages stay unacknowledged: they may have failed because
// of the shutdown, and are redelivered as after a crash.
func (c *consumer) decide(ctx context.Context, err error) decision {
	if ctx.Err() != nil || c.isClosing() {
		return leaveUnacked
	}
	d := decide(err)
	if d == giveUp && c.neverPoison {
		return tryAgain
	}
	return d
}

// recordFailure counts the attempts of this delivery and requests redelivery, or gives the message up if the schedule is used up or now is
// true.
func (c *consumer) recordFailure(ctx context.Context, h *deliveryState, f inbox.Failure, now bool) {
	counting, cancel := context.WithTimeout(ctx, bookkeepingTimeout)
	defer cancel()
	sum, err := c.cfg.Failures.Failed(counting, f, max(h.attempts, 1))
	switch {
	case errors.Is(err, inbox.ErrSuperseded):
		h.outcome = superseded
		return
	case err != nil:
		c.handleBookkeepingError(ctx, h, err)
		return
	}
	h.total = sum.Attempts
	if delay, more := c.cfg.lateRetry(sum.Attempts); more && !now {
		h.redeliver(failed, delay)
		return
	}
	if c.isClosing() {
		h.leaveUnacknowledged()
		return
	}
	giving, cancel := context.WithTimeout(ctx, bookkeepingTimeout)
	defer cancel()
	if err := c.cfg.Failures.GiveUp(giving, f, sum); err != nil {
		c.handleBookkeepingError(ctx, h, err)
		return
	}
	h.outcome = poisoned
}

// handleBookkeepingError handles an error of storing a failure: the message must be redelivered. A database that does not respond in time
// is unavailable, which pauses the consumers; for any other error a pause would not help.
func (c *consumer) handleBookkeepingError(ctx context.Context, h *deliveryState, err error) {
	switch {
	case ctx.Err() != nil || c.isClosing():
		h.leaveUnacknowledged()
	case decide(err) == redeliver: // its predecessors have not been applied yet
		h.redeliver(early, earlyDelay(err, h.delivery.Count))
	case decide(err) == pauseConsumers || fault.Cancelled(err):
		c.breaker.trip(ctx, err)
		h.redeliver(paused, backoff.Exponential(pauseMin, pauseMax, h.delivery.Count))
	default:
		h.unstored = true
		log := c.cfg.Logger.With("consumer", c.name, "event_id", h.event.ID)
		c.unstored.error(ctx, log, c.cfg.Now(), "failed attempt could not be stored", err)
		h.redeliver(failed, backoff.Exponential(earlyMin, neverPoisonMax, h.delivery.Count))
	}
}

func failure(consumer string, h *deliveryState, msg *message.Message, err error) inbox.Failure {
	f := inbox.Failure{
		Consumer: consumer,
		Event:    h.event,
		Metadata: maps.Clone(msg.Metadata),
		Subject:  Origin(h.subject, msg.Metadata),
		Round:    h.round(msg.Metadata),
	}
	if h.rejected != nil {
		f.Metadata, f.Subject, f.Round = claimedMetadata(msg.Metadata), h.subject, 0
	}
	f.Reason, f.Stack = describe(err)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		f.Gap = e.Kind == fault.Invalid && e.Code == inbox.CodeGap
	}
	return f
}
