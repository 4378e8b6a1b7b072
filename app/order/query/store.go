// Package query reads orders: one question per file.
package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/order"
)

// Store reads orders, without locks.
type Store interface {
	// ByID reads an order. The error is order.ErrNotFound where there is none.
	ByID(ctx context.Context, id uuid.UUID) (order.Order, error)
	// List reads up to limit orders, newest first. A page ends early where it would be too large; more reports whether there is something
	// behind it.
	List(ctx context.Context, f Filter, limit int) (orders []order.Order, more bool, err error)
}

// Filter chooses orders.
type Filter struct {
	UserID *uuid.UUID   // nil: everybody's
	Status order.Status // empty: any
	After  *time.Time   // placed then or later; nil: whenever
	Before *time.Time   // placed before; nil: whenever
	Behind *uuid.UUID   // only orders older than this one; nil: from the newest
}
