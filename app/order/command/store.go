// Package command changes orders, for callers and for the user service's events: one use case per file, and what they need of
// the world.
package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/order"
)

// Store keeps orders.
type Store interface {
	// Atomically commits what fn did through tx, or nothing if fn or the commit fails. fn may run again after a deadlock, so it
	// must have no effect except through tx.
	Atomically(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}

// Inbox applies each event once, in its key's order. A repeat has no effect and is no error; an event whose predecessor is missing is a
// failure of kind fault.Early. An event is late if a newer one of its key was applied before it.
type Inbox interface {
	// Apply runs effect and remembers e in one transaction. effect may run again, as in Store.Atomically.
	Apply(ctx context.Context, e envelope.Envelope, effect func(ctx context.Context, tx Tx, late bool) error) error
	// ApplyInSteps runs step, each time in a transaction of its own, until it is done, and remembers e with the last. After a crash
	// it begins again with the first.
	ApplyInSteps(ctx context.Context, e envelope.Envelope, step func(ctx context.Context, tx Tx, late bool) (done bool, err error)) error
}

// Tx is one transaction on orders, on what is known of customers, and on the events about orders.
type Tx interface {
	// Remember keeps the answer to a request; it comes before anything else. A nil record is ignored. The error is an
	// *idempotency.Replay where the request was answered before, idempotency.ErrReused where its key came with another body.
	Remember(ctx context.Context, r *idempotency.Record) error
	// ForgetAnswers deletes up to most kept answers that hold data of a user, and gives their number.
	ForgetAnswers(ctx context.Context, userID uuid.UUID, most int) (int, error)

	// Customer reads what is known of a user and locks it until the transaction ends. For an unknown user it makes the row, so that
	// there is something to lock.
	Customer(ctx context.Context, userID uuid.UUID) (order.Customer, error)
	// RecordCustomer stores what an event says of a user, unless a newer version is known. Access tokens issued before at then carry the
	// role stored here. A deletion stays.
	RecordCustomer(ctx context.Context, c order.Customer, at time.Time) error
	// ForgetCustomer marks the account of a user deleted and ends its access. It waits for transactions that place an order for the user,
	// and later ones wait for it.
	ForgetCustomer(ctx context.Context, userID uuid.UUID, at time.Time) error
	// RedactAnswers takes out of a user's kept answers what must not be kept any longer.
	RedactAnswers(ctx context.Context, userID uuid.UUID, r idempotency.Redaction) error
	// EraseTexts empties what people wrote into up to limit cancelled orders of a user: note and reason, where that is not
	// contract.ReasonUserDeleted. It returns how many there were. That is a new version of each, and no event: events carry no texts.
	EraseTexts(ctx context.Context, userID uuid.UUID, limit int, at time.Time) (erased int, err error)
	// PlacedBy reads the IDs of up to limit placed orders of a user, oldest first, without a lock.
	PlacedBy(ctx context.Context, userID uuid.UUID, limit int) ([]uuid.UUID, error)

	// InsertForCustomer adds an order if its customer is known and not deleted, and locks the customer as Customer does. Otherwise
	// stored is false, and nothing is locked.
	InsertForCustomer(ctx context.Context, o order.Order) (stored bool, err error)
	// Insert adds an order.
	Insert(ctx context.Context, o order.Order) error
	// ForUpdate reads an order and keeps others from changing it until the transaction ends. The error is order.ErrNotFound where
	// there is none.
	ForUpdate(ctx context.Context, id uuid.UUID) (order.Order, error)
	// Update stores an order, which is one version ahead of the stored one.
	Update(ctx context.Context, o order.Order) error
	// Delete removes an order.
	Delete(ctx context.Context, id uuid.UUID) error
	// Publish adds an event to the outbox; sequence numbers it among its order's events.
	Publish(ctx context.Context, sequence int64, e contract.Event) error
}
