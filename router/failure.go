package router

import (
	"context"
	"errors"
	"time"

	"github.com/millrace/millrace/app/contract"
)

// Metadata keys that the poison queue adds to a message.
const (
	MetaPoisonID        = "millrace-poison-id"       // UUID, fixed by consumer, source and ID of the event, and round
	MetaPoisonConsumer  = "millrace-poison-consumer" // who gave up
	MetaPoisonSubject   = "millrace-poison-subject"  // where the message had come from
	MetaPoisonReason    = "millrace-poison-reason"   // the last error, one line
	MetaPoisonStack     = "millrace-poison-stack"    // of a panic, quoted as a Go string; absent elsewhere
	MetaPoisonAttempts  = "millrace-poison-attempts" // decimal
	MetaPoisonFirst     = "millrace-poison-first"    // RFC 3339
	MetaPoisonLast      = "millrace-poison-last"     // RFC 3339
	MetaPoisonOmitted   = "millrace-poison-omitted"  // "metadata", "payload" or both: too large to go along; absent elsewhere
	MetaRound           = "millrace-round"           // how often the message was requeued, decimal; absent: never
	MetaDeduplicationID = "Nats-Msg-Id"              // by which the broker tells repeats, where it is not the event's ID
)

// Failure is one failed attempt, or the last of several, of one consumer at one event.
type Failure struct {
	Consumer string
	Event    contract.Envelope
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
