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

// errGate says that a message waited too long for a pause to end.
var errGate = fault.New(fault.Unavailable, "paused", "The service's consumers are paused.")

// poison settles what the attempts left unsettled, by the policy: it counts failures, says when the message comes back, and moves
// aside what is given up. It answers nil for what was handled and, with the outcome poisoned, the last error of what was given up;
// of what is not to be acknowledged it answers the reason. (Watermill's PoisonQueue would give up what shutting down broke off, and
// give up instead of coming back later.)
func (c *consumer) poison(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		h, ctx := of(msg), msg.Context()
		if !c.gate.pass(ctx, c.cfg.GateWait) {
			c.settle(ctx, h, msg, errGate)
			return nil, errGate
		}
		if h.refused != nil {
			c.settle(ctx, h, msg, h.refused)
			return nil, h.refused
		}
		_, err := next(msg)
		if err == nil {
			h.outcome = handled
			return nil, nil
		}
		c.settle(ctx, h, msg, err)
		return nil, err
	}
}

func (c *consumer) settle(ctx context.Context, h *handling, msg *message.Message, err error) {
	switch c.decide(ctx, err) {
	case leaveAlone:
		h.leave()
	case putBack:
		h.back(early, earlyDelay(err, h.delivery.Count))
	case pauseAll:
		if !errors.Is(err, errGate) {
			c.gate.shut(ctx, err)
		}
		h.back(paused, backoff.Exponential(pauseMin, pauseMax, h.delivery.Count))
	case tryAgain:
		if c.neverPoison {
			h.back(failed, backoff.Exponential(earlyMin, neverMax, h.delivery.Count))
			return
		}
		c.count(ctx, h, failure(c.name, h, msg, err), false)
	case giveUp:
		c.count(ctx, h, failure(c.name, h, msg, err), true)
	}
}

// decide is the policy for this consumer in its present state. While it closes nothing is settled: what fails then may have failed
// because of that, and comes back as after a crash.
func (c *consumer) decide(ctx context.Context, err error) decision {
	if ctx.Err() != nil || c.isClosing() {
		return leaveAlone
	}
	d := decide(err)
	if d == giveUp && c.neverPoison {
		return tryAgain
	}
	return d
}

// count adds this delivery's attempts to the round's and either sends the message back for later or gives it up.
func (c *consumer) count(ctx context.Context, h *handling, f inbox.Failure, now bool) {
	counting, cancel := context.WithTimeout(ctx, bookkeepingTimeout)
	defer cancel()
	sum, err := c.cfg.Failures.Failed(counting, f, max(h.attempts, 1))
	switch {
	case errors.Is(err, inbox.ErrSuperseded):
		h.outcome = superseded
		return
	case err != nil:
		c.notSettled(ctx, h, err)
		return
	}
	h.total = sum.Attempts
	if delay, more := c.cfg.late(sum.Attempts); more && !now {
		h.back(failed, delay)
		return
	}
	if c.isClosing() {
		h.leave()
		return
	}
	giving, cancel := context.WithTimeout(ctx, bookkeepingTimeout)
	defer cancel()
	if err := c.cfg.Failures.GiveUp(giving, f, sum); err != nil {
		c.notSettled(ctx, h, err)
		return
	}
	h.outcome = poisoned
}

// notSettled is for a message whose failure could not be stored: nothing is known of it then, so that it must come back. A database
// that does not answer in time is away; any other trouble is not, and pausing everybody would not help.
func (c *consumer) notSettled(ctx context.Context, h *handling, err error) {
	switch {
	case ctx.Err() != nil || c.isClosing():
		h.leave()
	case decide(err) == putBack: // its predecessors are not through yet
		h.back(early, earlyDelay(err, h.delivery.Count))
	case decide(err) == pauseAll || fault.Cancelled(err):
		c.gate.shut(ctx, err)
		h.back(paused, backoff.Exponential(pauseMin, pauseMax, h.delivery.Count))
	default:
		c.cfg.Logger.ErrorContext(ctx, "failure could not be stored", "consumer", c.name, "event_id", h.event.ID, "error", err)
		h.back(failed, backoff.Exponential(earlyMin, neverMax, h.delivery.Count))
	}
}

func failure(consumer string, h *handling, msg *message.Message, err error) inbox.Failure {
	f := inbox.Failure{
		Consumer: consumer,
		Event:    h.event,
		Metadata: maps.Clone(msg.Metadata),
		Subject:  Origin(h.subject, msg.Metadata),
		Round:    h.round(msg.Metadata),
	}
	if h.refused != nil {
		f.Metadata, f.Subject, f.Round = claims(msg.Metadata), h.subject, 0
	}
	f.Reason, f.Stack = describe(err)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		f.Gap = e.Kind == fault.Invalid && e.Code == inbox.CodeGap
	}
	return f
}
