package query

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/principal"
)

// OrderByID asks for one order.
type OrderByID struct {
	Caller principal.Principal
	ID     uuid.UUID
}

// OrderByIDHandler handles OrderByID.
type OrderByIDHandler struct{ store Store }

// NewOrderByIDHandler returns a handler on store.
func NewOrderByIDHandler(store Store) *OrderByIDHandler { return &OrderByIDHandler{store: store} }

// Handle gives the order to its owner and to admins. To others it does not exist: order.ErrNotFound.
func (h *OrderByIDHandler) Handle(ctx context.Context, q OrderByID) (order.Order, error) {
	o, err := h.store.ByID(ctx, q.ID)
	if err != nil {
		return order.Order{}, err
	}
	if !q.Caller.Owns(o.UserID) {
		return order.Order{}, order.ErrNotFound
	}
	return o, nil
}
