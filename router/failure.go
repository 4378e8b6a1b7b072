package router

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/app/envelope"
)

// Failure is one failed attempt, or the last of several, of one consumer at one event.
type Failure struct {
	Consumer string
	Event    envelope.Envelope
	Metadata map[string]string // the message's, whole
	Subject  string            // where the message came from
	Round    int               // how often it had been requeued
	Reason   string
	Stack    string // empty unless it panicked
	Gap      bool   // given up because its predecessors never came
}

// Count is what is known of a consumer's failures at one event in one round.
type Count struct {
	Attempts    int
	First, Last time.Time
}

// ErrSuperseded says that the event was requeued since, and that a later round has failed already: that round decides about the event.
var ErrSuperseded = errors.New("a later round of the event has been tried")

// Failures counts attempts and takes what is given up, in the consumer's own database.
type Failures interface {
	// Failed counts n failed attempts more and gives the sum for the round. What the broker counted is no measure: put-backs, crashes
	// and drains are in it. The error is ErrSuperseded where a later round was counted before.
	Failed(ctx context.Context, f Failure, n int) (Count, error)
	// GiveUp moves the event aside in one transaction: it is left out of its key's sequence, so that its successors may go on, and
	// its poison message is in the outbox. Giving up the same round twice is giving up once.
	GiveUp(ctx context.Context, f Failure, c Count) error
}
