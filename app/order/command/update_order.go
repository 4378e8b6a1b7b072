package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/version"
)

// UpdateOrder changes a placed order; what is nil stays.
type UpdateOrder struct {
	Caller   principal.Principal
	ID       uuid.UUID
	Change   order.Change
	Expected version.Expected
}

// UpdateOrderHandler handles UpdateOrder.
type UpdateOrderHandler struct {
	store Store
	now   func() time.Time
}

// NewUpdateOrderHandler returns a handler on store.
func NewUpdateOrderHandler(store Store, now func() time.Time) *UpdateOrderHandler {
	return &UpdateOrderHandler{store: store, now: now}
}

// Handle stores the change with its event order.updated.v1 and gives the order after it. A change of nothing stores nothing and
// publishes nothing. The error is order.ErrNotFound for a caller who is neither owner nor admin, version.ErrMoved at another version
// than expected, and order.ErrCancelled for a cancelled order.
func (h *UpdateOrderHandler) Handle(ctx context.Context, c UpdateOrder) (order.Order, error) {
	var o order.Order
	err := h.store.Atomically(ctx, func(ctx context.Context, tx Tx) (err error) {
		o, err = h.update(ctx, tx, c)
		return err
	})
	if err != nil {
		return order.Order{}, err
	}
	return o, nil
}

func (h *UpdateOrderHandler) update(ctx context.Context, tx Tx, c UpdateOrder) (order.Order, error) {
	o, err := owned(ctx, tx, c.Caller, c.ID)
	if err != nil {
		return order.Order{}, err
	}
	if err := c.Expected.Check(o.Version); err != nil {
		return order.Order{}, err
	}
	updated, err := o.Change(c.Change, h.now())
	if err != nil || updated == nil {
		return o, err
	}
	if err := tx.Update(ctx, o); err != nil {
		return order.Order{}, err
	}
	return o, tx.Publish(ctx, o.Sequence, updated)
}
