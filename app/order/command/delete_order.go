package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/version"
)

// DeleteOrder removes an order.
type DeleteOrder struct {
	Caller   principal.Principal
	ID       uuid.UUID
	Expected version.Expected
	Answers  idempotency.Redaction // of what was answered when the order was placed
}

// DeleteOrderHandler handles DeleteOrder.
type DeleteOrderHandler struct {
	store Store
	now   func() time.Time
}

// NewDeleteOrderHandler returns a handler on store.
func NewDeleteOrderHandler(store Store, now func() time.Time) *DeleteOrderHandler {
	return &DeleteOrderHandler{store: store, now: now}
}

// Handle removes the order, takes its texts out of the answers kept about it, and stores its event order.deleted.v1, after
// order.cancelled.v1 where it was still placed. The error is order.ErrNotFound for a caller who is neither owner nor admin, and
// version.ErrMoved at another version than expected.
func (h *DeleteOrderHandler) Handle(ctx context.Context, c DeleteOrder) error {
	return h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		o, err := owned(ctx, tx, c.Caller, c.ID)
		if err != nil {
			return err
		}
		if err := c.Expected.Check(o.Version); err != nil {
			return err
		}
		at := h.now()
		if err := cancel(ctx, tx, &o, order.Cancellation{By: doer(c.Caller, o)}, at); err != nil {
			return err
		}
		deleted, err := o.Delete(at)
		if err != nil {
			return err
		}
		if err := tx.RedactAnswers(ctx, o.UserID, c.Answers); err != nil {
			return err
		}
		if err := tx.Delete(ctx, o.ID); err != nil {
			return err
		}
		return tx.Publish(ctx, o.Sequence, deleted)
	})
}
