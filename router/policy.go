package router

import (
	"errors"
	"time"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/fault"
)

// decision is what happens to a message after its handler failed.
type decision int

const (
	tryAgain       decision = iota // within the delivery, then later, until it is given up
	giveUp                         // without a retry: it would fail the same way
	redeliver                      // until its predecessor was applied; not a failure
	pauseConsumers                 // all of the service, until its database is available; not a failure
	leaveUnacked                   // as a crash would; not a failure
)

// decide maps the kind of an error to a decision.
func decide(err error) decision {
	switch fault.KindOf(err) {
	case fault.Malformed, fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.TooLarge:
		return giveUp
	case fault.Early:
		return redeliver
	case fault.Unavailable, fault.Unknown:
		return pauseConsumers
	case fault.Internal, fault.NotFound, fault.Conflict, fault.Precondition, fault.Exhausted, fault.TooSlow:
		return tryAgain
	}
	return tryAgain
}

// Bounds of the redelivery delays, which grow with the delivery count.
const (
	earlyMin       = 100 * time.Millisecond
	earlyMax       = 5 * time.Second
	pauseMin       = time.Second
	pauseMax       = 5 * time.Second
	neverPoisonMax = 30 * time.Second
)

// ahead is implemented by Early errors that know how many predecessors are missing.
type ahead interface {
	error
	Ahead() int64
}

// Early events of a key are redelivered one after the other, in their order. In any other order, only one or two would be applied in each
// round.
const (
	delayPerMissing = 50 * time.Millisecond
	maxMissingDelay = 3 * time.Second
)

// earlyDelay returns how long to delay an event that waits for its predecessors, at its nth delivery.
func earlyDelay(err error, n int) time.Duration {
	e, ok := errors.AsType[ahead](err)
	if !ok {
		return backoff.Exponential(earlyMin, earlyMax, n)
	}
	missing := time.Duration(min(e.Ahead(), int64(maxMissingDelay/delayPerMissing)))
	return backoff.Exponential(earlyMin, earlyMax-maxMissingDelay, n) + missing*delayPerMissing
}

// lateRetry returns the delay before the redelivery of an event that failed attempts times in this round, or false if it is to be given up.
func (c Config) lateRetry(attempts int) (delay time.Duration, more bool) {
	delivery := max(attempts-1, 0) / c.Attempts // an interrupted delivery counts as a whole one
	if delivery >= len(c.LateRetries) {
		return 0, false
	}
	return c.LateRetries[delivery], true
}
