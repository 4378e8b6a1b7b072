package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/version"
)

// CancelOrder ends a placed order.
type CancelOrder struct {
	Caller   principal.Principal
	ID       uuid.UUID
	Reason   string // may be empty
	Expected version.Expected
}

// CancelOrderHandler handles CancelOrder.
type CancelOrderHandler struct {
	store Store
	now   func() time.Time
}

// NewCancelOrderHandler returns a handler on store.
func NewCancelOrderHandler(store Store, now func() time.Time) *CancelOrderHandler {
	return &CancelOrderHandler{store: store, now: now}
}

// Handle stores the cancelled order with its event order.cancelled.v1 and gives it. An order that was cancelled before is given as
// it is, without another event. The error is order.ErrNotFound for a caller who is neither owner nor admin, and version.ErrMoved at
// another version than expected.
func (h *CancelOrderHandler) Handle(ctx context.Context, c CancelOrder) (order.Order, error) {
	var o order.Order
	err := h.store.Atomically(ctx, func(ctx context.Context, tx Tx) (err error) {
		if o, err = owned(ctx, tx, c.Caller, c.ID); err != nil {
			return err
		}
		if err := c.check(o); err != nil {
			return err
		}
		return cancel(ctx, tx, &o, order.Cancellation{By: doer(c.Caller, o), Reason: c.Reason}, h.now())
	})
	if err != nil {
		return order.Order{}, err
	}
	return o, nil
}

// check accepts the version before the cancellation too, if the order was cancelled for the same reason: a caller who lost the answer
// asks again with the version they know, and gets it.
func (c CancelOrder) check(o order.Order) error {
	if o.Status == order.Cancelled && o.CancelReason == c.Reason && c.Expected.Fits(o.Version-1) {
		return nil
	}
	return c.Expected.Check(o.Version)
}

// doer is by whose doing a caller cancels o.
func doer(caller principal.Principal, o order.Order) string {
	if caller.UserID == o.UserID {
		return contract.ReasonCustomer
	}
	return contract.ReasonAdmin
}

// cancel stores o cancelled, with its event, unless it is cancelled already.
func cancel(ctx context.Context, tx Tx, o *order.Order, c order.Cancellation, at time.Time) error {
	cancelled, err := o.Cancel(c, at)
	if err != nil || cancelled == nil {
		return err
	}
	if err := tx.Update(ctx, *o); err != nil {
		return err
	}
	return tx.Publish(ctx, o.Sequence, cancelled)
}
