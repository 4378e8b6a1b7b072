package command

import (
	"context"

	"github.com/google/uuid"

	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/principal"
)

// owned reads an order that caller wants to change. To a caller who is neither its owner nor an admin it does not exist.
func owned(ctx context.Context, tx Tx, caller principal.Principal, id uuid.UUID) (order.Order, error) {
	o, err := tx.ForUpdate(ctx, id)
	if err != nil {
		return order.Order{}, err
	}
	if !caller.Owns(o.UserID) {
		return order.Order{}, order.ErrNotFound
	}
	return o, nil
}
