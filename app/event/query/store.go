// Package query reads the history and the poison queue: one question per file.
package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event"
)

// EventFilter picks events. What is empty or zero picks all.
type EventFilter struct {
	Type          string
	Key           string
	CorrelationID string
	Source        string
	After         *time.Time // happened at this time or later; nil: whenever
	Before        *time.Time // happened before this time; nil: whenever
}

// PoisonFilter picks poison messages. What is empty or zero picks all.
type PoisonFilter struct {
	Status      event.Status
	Consumer    string
	Type        string
	Fingerprint string
	Key         string
	After       *time.Time // failed last at this time or later; nil: whenever
	Before      *time.Time // failed last before this time; nil: whenever
}

// Page says which part of a list is read.
type Page struct {
	Behind    int64 // the last position, or number, of the page before; 0 for the first page
	Ascending bool  // oldest first
	Limit     int
}

// Store reads the history and the poison queue. A page ends early where it would be too heavy; more says whether there is something
// behind it.
type Store interface {
	// Events reads events that have a position, in its order, without their metadata.
	Events(ctx context.Context, f EventFilter, p Page) (events []event.Record, more bool, err error)
	// Event reads the event of that ID; where several sources used it, the one recorded first. The error is event.ErrNotFound.
	Event(ctx context.Context, id uuid.UUID) (event.Record, error)
	// Failures gives the outcome at each consumer that gave r up, oldest first.
	Failures(ctx context.Context, r event.Record) ([]event.Outcome, error)

	// Poison reads poison messages in the order of their numbers.
	Poison(ctx context.Context, f PoisonFilter, p Page) (poison []event.Poison, more bool, err error)
	// PoisonMessage reads one of them. The error is event.ErrPoisonNotFound.
	PoisonMessage(ctx context.Context, id uuid.UUID) (event.Poison, error)
}
