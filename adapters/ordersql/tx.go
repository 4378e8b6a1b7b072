package ordersql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/order"
)

// errMoved says that a row was not at the version that its change began from: it was changed without its lock.
var errMoved = errors.New("the stored version is not the one that was read")

// tx implements command.Tx.
type tx struct {
	*sqldb.Tx

	dialect sqldb.Dialect
	outbox  *sqldb.Outbox
}

// Insert implements command.Tx.
func (t tx) Insert(ctx context.Context, o order.Order) error {
	values, err := valuesOf(o)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, "INSERT INTO orders ("+columns+") VALUES ("+places+")", values...)
	return wrap("insert an order", err)
}

// InsertForCustomer implements command.Tx: the check, the lock and the order in one statement, or in two for all who place one at the
// same time.
func (t tx) InsertForCustomer(ctx context.Context, o order.Order) (stored bool, err error) {
	values, err := valuesOf(o)
	if err != nil {
		return false, err
	}
	if t.Defer(placed, values) {
		return true, nil
	}
	n, err := t.Exec(ctx, "INSERT INTO orders ("+columns+") SELECT "+places+" FROM customers WHERE user_id = ? AND deleted_at IS NULL"+
		t.dialect.ForShare(), append(values, o.UserID[:])...)
	return n == 1, wrap("insert an order", err)
}

// ForUpdate implements command.Tx.
func (t tx) ForUpdate(ctx context.Context, id uuid.UUID) (order.Order, error) {
	return scanOne(t.QueryRow(ctx, "SELECT "+columns+" FROM orders WHERE id = ?"+t.dialect.ForUpdate(), id[:]))
}

// Update implements command.Tx.
func (t tx) Update(ctx context.Context, o order.Order) error {
	items, err := encode(o.Items)
	if err != nil {
		return err
	}
	met, err := t.Exec(ctx, `UPDATE orders SET status = ?, items = ?, total = ?, note = ?, version = ?, sequence = ?, updated_at = ?,
		cancelled_at = ?, cancel_reason = ? WHERE id = ? AND version = ?`,
		string(o.Status), items, o.Total, o.Note, o.Version, o.Sequence, sqldb.Micros(o.UpdatedAt),
		micros(o.CancelledAt), o.CancelReason, o.ID[:], o.Version-1)
	if err == nil && met != 1 {
		err = errMoved
	}
	return wrap("update an order", err)
}

// Delete implements command.Tx.
func (t tx) Delete(ctx context.Context, id uuid.UUID) error {
	t.Erases()
	_, err := t.Exec(ctx, "DELETE FROM orders WHERE id = ?", id[:])
	return wrap("delete an order", err)
}

// PlacedBy implements command.Tx.
func (t tx) PlacedBy(ctx context.Context, userID uuid.UUID, limit int) ([]uuid.UUID, error) {
	return t.ids(ctx, "user_id = ? AND status = ?", userID[:], string(order.Placed), limit)
}

// EraseTexts implements command.Tx. A cancelled order can only be deleted meanwhile, so none is read under a lock.
func (t tx) EraseTexts(ctx context.Context, userID uuid.UUID, limit int, at time.Time) (int, error) {
	t.Erases()
	ids, err := t.ids(ctx, "user_id = ? AND status = ? AND (note <> '' OR cancel_reason NOT IN ('', '"+contract.ReasonUserDeleted+"'))",
		userID[:], string(order.Cancelled), limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		_, err := t.Exec(ctx, "UPDATE orders SET note = '', cancel_reason = CASE WHEN cancel_reason = '"+contract.ReasonUserDeleted+
			"' THEN cancel_reason ELSE '' END, version = version + 1, updated_at = ? WHERE id = ?", sqldb.Micros(at), id[:])
		if err != nil {
			return 0, wrap("erase an order's texts", err)
		}
	}
	return len(ids), nil
}

// ids reads the IDs of the oldest orders that meet a condition; the last of its args is how many.
func (t tx) ids(ctx context.Context, condition string, args ...any) (ids []uuid.UUID, err error) {
	rows, err := t.Query(ctx, "SELECT id FROM orders WHERE "+condition+" ORDER BY id LIMIT ?", args...)
	if err != nil {
		return nil, fmt.Errorf("read a user's orders: %w", err)
	}
	return sqldb.Collect(rows, func(r sqldb.Scanner) (id uuid.UUID, err error) {
		err = r.Scan(&id)
		return id, wrap("read a user's orders", err)
	})
}

// Publish implements command.Tx.
func (t tx) Publish(ctx context.Context, sequence int64, e contract.Event) error {
	return t.outbox.Publish(ctx, t.Tx, sequence, e)
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
