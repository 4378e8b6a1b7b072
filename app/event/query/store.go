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

// Page says which part of the history is read.
type Page struct {
	Behind    int64 // the Next of the page before; 0 for the first page
	Ascending bool  // oldest first
	Limit     int
}

// PoisonCursor is a place in the poison queue, which is in the order of the last failures.
type PoisonCursor struct {
	FailedAt time.Time
	Number   int64
}

// Store reads the history and the poison queue. A page ends early where it would be too large.
type Store interface {
	// Events reads events that have a position, in its order, without their metadata. next is the position behind which the following page
	// begins, 0 on the last. Where several filters leave very few of many events, a page ends with what was found in a bounded time: it may
	// be short, or empty, and have a next one.
	Events(ctx context.Context, f EventFilter, p Page) (events []event.Record, next int64, err error)
	// Event reads the event of that ID; where several sources used it, the one recorded first. The error is event.ErrNotFound.
	Event(ctx context.Context, id uuid.UUID) (event.Record, error)
	// Failures returns the outcome at each consumer that gave r up, oldest first; of very many the newest.
	Failures(ctx context.Context, r event.Record) ([]event.Outcome, error)

	// Poison reads up to limit poison messages, the newest failure first, behind a cursor where one is given. more reports whether there is
	// something behind them.
	Poison(ctx context.Context, f PoisonFilter, behind *PoisonCursor, limit int) (poison []event.Poison, more bool, err error)
	// PoisonMessage reads one of them. The error is event.ErrPoisonNotFound.
	PoisonMessage(ctx context.Context, id uuid.UUID) (event.Poison, error)
}
