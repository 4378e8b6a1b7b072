// Package inbox is what a consumer's router and the keeper of its inbox tell each other about events that failed.
package inbox

import (
	"errors"
	"time"

	"github.com/millrace/millrace/app/envelope"
)

// CodeGap is the code of the fault.Invalid with which an inbox gives up an event whose predecessors never came.
const CodeGap = "gap"

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
