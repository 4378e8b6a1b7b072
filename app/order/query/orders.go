package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/principal"
)

// Orders asks for a page of orders, newest first.
type Orders struct {
	Caller principal.Principal
	UserID *uuid.UUID   // nil: all that the caller may see
	Status order.Status // empty: any
	After  *time.Time   // placed then or later; nil: whenever
	Before *time.Time   // placed before; nil: whenever
	Behind *uuid.UUID   // the last page's Next
	Limit  int
}

// OrdersPage is one page. Next is nil on the last one.
type OrdersPage struct {
	Orders []order.Order
	Next   *uuid.UUID
}

// OrdersHandler handles Orders.
type OrdersHandler struct{ store Store }

// NewOrdersHandler returns a handler on store.
func NewOrdersHandler(store Store) *OrdersHandler { return &OrdersHandler{store: store} }

// Handle gives admins everybody's orders and others their own; the error is order.ErrForeignUser for a caller who names another user
// without being an admin. A page begins behind an ID and not at a count, so orders that come or go between two pages neither repeat
// nor hide others.
func (h *OrdersHandler) Handle(ctx context.Context, q Orders) (OrdersPage, error) {
	filter, err := q.filter()
	if err != nil {
		return OrdersPage{}, err
	}
	orders, more, err := h.store.List(ctx, filter, q.Limit)
	if err != nil {
		return OrdersPage{}, err
	}
	if !more {
		return OrdersPage{Orders: orders}, nil
	}
	return OrdersPage{Orders: orders, Next: &orders[len(orders)-1].ID}, nil
}

func (q Orders) filter() (Filter, error) {
	f := Filter{UserID: q.UserID, Status: q.Status, After: q.After, Before: q.Before, Behind: q.Behind}
	if f.UserID == nil && !q.Caller.Admin() {
		own := uuid.UUID(q.Caller.UserID)
		f.UserID = &own
	}
	if f.UserID != nil && !q.Caller.Owns(*f.UserID) {
		return Filter{}, order.ErrForeignUser
	}
	return f, nil
}
