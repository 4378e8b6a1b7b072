package router

import (
	"errors"
	"time"

	"github.com/millrace/millrace/app/backoff"
	"github.com/millrace/millrace/app/fault"
)

// decision is what becomes of a message that its handler did not take.
type decision int

const (
	tryAgain   decision = iota // now, later, and then it is given up
	giveUp                     // at once: it would fail the same way each time
	putBack                    // until its predecessor came; no failure
	pauseAll                   // the whole service, until its database is back; no failure
	leaveAlone                 // unacknowledged, as a crash would; no failure
)

// decide is the policy: what an error's kind means for the message.
func decide(err error) decision {
	switch fault.KindOf(err) {
	case fault.Malformed, fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.TooLarge:
		return giveUp
	case fault.Early:
		return putBack
	case fault.Unavailable, fault.Unknown:
		return pauseAll
	case fault.Internal, fault.NotFound, fault.Conflict, fault.Precondition, fault.Exhausted:
		return tryAgain
	}
	return tryAgain
}

// Delays of what is put back without having failed, by how often it was delivered.
const (
	earlyMin = 100 * time.Millisecond
	earlyMax = 5 * time.Second
	pauseMin = time.Second
	pauseMax = 5 * time.Second
	neverMax = 30 * time.Second
)

// ahead is what an Early error may tell of itself: how many of its predecessors are missing.
type ahead interface {
	error
	Ahead() int64
}

// Events of a key that were put back come back one behind the other, in their order: in any other, each round would let but one or
// two of them pass.
const (
	aheadStep = 50 * time.Millisecond
	aheadMost = 3 * time.Second
)

// earlyDelay is how long an event waits for its predecessors, at its nth delivery.
func earlyDelay(err error, n int) time.Duration {
	e, ok := errors.AsType[ahead](err)
	if !ok {
		return backoff.Exponential(earlyMin, earlyMax, n)
	}
	return backoff.Exponential(earlyMin, earlyMax-aheadMost, n) + time.Duration(min(e.Ahead(), int64(aheadMost/aheadStep)))*aheadStep
}

// late gives the delay after which an event that failed attempts times in this round comes back. more is false where it is given
// up instead.
func (c Config) late(attempts int) (delay time.Duration, more bool) {
	delivery := max(attempts-1, 0) / c.Attempts // a delivery that was broken off counts as one
	if delivery >= len(c.Late) {
		return 0, false
	}
	return c.Late[delivery], true
}
