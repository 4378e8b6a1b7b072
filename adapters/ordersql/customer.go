package ordersql

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/order"
)

// Customer implements command.Tx. The lock is shared: orders of one user do not wait for each other, and the user's deletion waits for all
// of them. A known customer costs one statement.
func (t tx) Customer(ctx context.Context, userID uuid.UUID) (order.Customer, error) {
	c, err := t.customer(ctx, userID)
	if !errors.Is(err, sql.ErrNoRows) {
		return c, wrap("read a customer", err)
	}
	if err := t.meet(ctx, userID); err != nil {
		return order.Customer{}, err
	}
	c, err = t.customer(ctx, userID)
	return c, wrap("read a customer", err)
}

func (t tx) customer(ctx context.Context, userID uuid.UUID) (order.Customer, error) {
	c := order.Customer{UserID: userID}
	var deletedAt sql.NullInt64
	err := t.QueryRow(ctx, "SELECT role, version, deleted_at FROM customers WHERE user_id = ?"+t.dialect.ForShare(), userID[:]).
		Scan(&c.Role, &c.Version, &deletedAt)
	c.DeletedAt = moment(deletedAt)
	return c, err
}

// meet makes the row of a user where it is missing.
func (t tx) meet(ctx context.Context, userID uuid.UUID) error {
	_, err := t.Exec(ctx, t.dialect.InsertIgnore()+" customers (user_id, role, version) VALUES (?, '', 0)", userID[:])
	return wrap("insert a customer", err)
}

// firstVersion is that of a new account: no token is from before it.
const firstVersion = 1

// RecordCustomer implements command.Tx. The version decides, so that a late event takes nothing back, and a deletion stays.
func (t tx) RecordCustomer(ctx context.Context, c order.Customer, at time.Time) error {
	if err := t.meet(ctx, c.UserID); err != nil {
		return err
	}
	_, err := t.Exec(ctx, "UPDATE customers SET role = ?, version = ? WHERE user_id = ? AND version < ?",
		c.Role, c.Version, c.UserID[:], c.Version)
	if err != nil || c.Version <= firstVersion {
		return wrap("update a customer", err)
	}
	return sqldb.NoteAccess(ctx, t.Tx, contract.User{ID: c.UserID.String(), Role: c.Role, Version: c.Version, UpdatedAt: at}, false)
}

// ForgetCustomer implements command.Tx. An upsert locks the row at once, without the shared lock before it in which two who want to
// change it would wait for each other.
func (t tx) ForgetCustomer(ctx context.Context, userID uuid.UUID, at time.Time) error {
	_, err := t.Exec(ctx, "INSERT INTO customers (user_id, role, version, deleted_at) VALUES (?, '', 0, ?) "+
		t.dialect.Upsert("user_id", "deleted_at"), userID[:], sqldb.Micros(at))
	if err != nil {
		return wrap("mark a customer deleted", err)
	}
	return sqldb.NoteAccess(ctx, t.Tx, contract.User{ID: userID.String()}, true)
}
