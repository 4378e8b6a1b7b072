// Package command holds what changes the history and the poison queue: one use case per file.
package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/event"
)

// Store keeps the history and the poison queue.
type Store interface {
	// Atomically commits what fn did through tx, or nothing if fn or the commit fails. fn may run again after a deadlock, so it must
	// have no effect except through tx.
	Atomically(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	// Unpositioned reports whether an event waits for its position. It takes no lock.
	Unpositioned(ctx context.Context) (bool, error)
}

// Tx is the store within one transaction.
type Tx interface {
	// Record adds r to the history, without a position. An event of r's ID and source that is there already stays as it is.
	Record(ctx context.Context, r event.Record) error
	// NoteAccess stores what a user may do from now on. An older version of the account takes nothing back, and a deletion stays.
	NoteAccess(ctx context.Context, c event.UserChange) error
	// AssignPositions gives up to limit events the next positions, oldest first, and returns how many it gave. Until the commit nobody
	// else can give any, so positions have no gap and become visible in order. Events of a key get theirs in sequence; an event that was
	// recorded before patience no longer waits for its predecessor.
	AssignPositions(ctx context.Context, limit int, patience time.Time) (assigned int, err error)

	// StorePoison adds p to the poison queue. One of p's ID that is there already stays as it is.
	StorePoison(ctx context.Context, p event.Poison) error
	// PoisonForUpdate reads a poison message that nobody else can decide about until the commit. The error is
	// event.ErrPoisonNotFound where there is none.
	PoisonForUpdate(ctx context.Context, id uuid.UUID) (event.Poison, error)
	// SetPoisonStatus stores p's status.
	SetPoisonStatus(ctx context.Context, p event.Poison) error
	// SendBack puts p's message in the outbox under a message ID, for p's consumer alone: same event ID, same bytes, next round, signed.
	SendBack(ctx context.Context, p event.Poison, messageID uuid.UUID) error
}
