package ordersql

import (
	"context"
	"errors"

	"github.com/millrace/millrace/adapters/sqldb"
)

// placed stores the orders of many customers who place one at the same time.
var placed = &sqldb.Batch{Into: "orders (" + columns + ")", Check: knownCustomers}

// errCustomers says that one of the customers is not known yet, or was deleted.
var errCustomers = errors.New("not all customers may place orders")

// knownCustomers locks the customers of orders as InsertForCustomer does. Without the index a short table is read, and locked, as a whole.
func knownCustomers(ctx context.Context, tx *sqldb.Tx, orders [][]any) error {
	seen := map[string]bool{}
	var users []any
	for _, values := range orders {
		user, _ := values[userColumn].([]byte)
		if !seen[string(user)] {
			seen[string(user)] = true
			users = append(users, user)
		}
	}
	var n int
	err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM customers FORCE INDEX (PRIMARY) WHERE user_id IN "+sqldb.Placeholders(len(users))+
		" AND deleted_at IS NULL LOCK IN SHARE MODE", users...).Scan(&n)
	if err == nil && n != len(users) {
		err = errCustomers
	}
	return wrap("lock the customers", err)
}
