package event

import "time"

// What became of an event at a consumer.
const (
	OutcomeRecorded = "recorded"
	OutcomePoisoned = "poisoned"
)

// Outcome is what became of an event at one consumer.
type Outcome struct {
	Consumer string
	Outcome  string
	Attempt  int // which attempt it was, from 1
	At       time.Time
}

// Recorded is the outcome at the consumer that recorded r.
func (r Record) Recorded(consumer string) Outcome {
	return Outcome{Consumer: consumer, Outcome: OutcomeRecorded, Attempt: 1, At: r.RecordedAt}
}
