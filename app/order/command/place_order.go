package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/principal"
)

// PlaceOrder makes an order, for the caller or, where UserID is another, for that user.
type PlaceOrder struct {
	Caller   principal.Principal
	UserID   *uuid.UUID // nil: the caller
	Items    []order.Item
	Currency string
	Note     string
	Once     idempotency.Once[order.Order]
}

// PlaceOrderHandler handles PlaceOrder.
type PlaceOrderHandler struct {
	store Store
	newID func() uuid.UUID
	now   func() time.Time
}

// NewPlaceOrderHandler returns a handler on store.
func NewPlaceOrderHandler(store Store, newID func() uuid.UUID, now func() time.Time) *PlaceOrderHandler {
	return &PlaceOrderHandler{store: store, newID: newID, now: now}
}

// Handle stores the order with its event order.placed.v1. An unknown account may order: the event that tells of it may still be on its
// way. The error is order.ErrForeignUser for a caller who orders for another without being an admin, and order.ErrCustomerDeleted for a
// deleted account. The customer stays locked until the commit, so that the deletion of an account either finds the order and cancels
// it, or the order is refused.
func (h *PlaceOrderHandler) Handle(ctx context.Context, c PlaceOrder) (order.Order, error) {
	draft, err := c.draft()
	if err != nil {
		return order.Order{}, err
	}
	o, placed, err := order.Place(h.newID(), draft, h.now())
	if err != nil {
		return order.Order{}, err
	}
	answer, err := c.Once.Record(o, o.UserID, o.CreatedAt)
	if err != nil {
		return order.Order{}, err
	}
	err = h.store.Atomically(ctx, func(ctx context.Context, tx Tx) error {
		if err := tx.Remember(ctx, answer); err != nil {
			return err
		}
		return place(ctx, tx, o, placed)
	})
	if err != nil {
		return order.Order{}, err
	}
	return o, nil
}

func place(ctx context.Context, tx Tx, o order.Order, placed contract.Event) error {
	stored, err := tx.InsertForCustomer(ctx, o)
	if err != nil {
		return err
	}
	if !stored { // the account was deleted, or no event of it has come yet
		customer, err := tx.Customer(ctx, o.UserID)
		if err != nil {
			return err
		}
		if err := customer.CheckOrders(); err != nil {
			return err
		}
		if err := tx.Insert(ctx, o); err != nil {
			return err
		}
	}
	return tx.Publish(ctx, o.Sequence, placed)
}

func (c PlaceOrder) draft() (order.Draft, error) {
	d := order.Draft{UserID: c.Caller.UserID, Items: c.Items, Currency: c.Currency, Note: c.Note}
	if c.UserID != nil {
		d.UserID = *c.UserID
	}
	if !c.Caller.Owns(d.UserID) {
		return order.Draft{}, order.ErrForeignUser
	}
	return d, nil
}
