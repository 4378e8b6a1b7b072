package ordersql

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/query"
)

// fillOrders makes n orders of one user, of which the oldest three are cancelled.
func fillOrders(t *testing.T, db *sqldb.DB, n int, user uuid.UUID) {
	t.Helper()
	exec := func(query string, args ...any) {
		require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, query, args...)
			return err
		}))
	}
	exec("INSERT INTO orders ("+columns+") VALUES (?, ?, 'cancelled', '[]', 'EUR', 1, '', 1, 1, 1, 1, NULL, '')",
		[]byte("order-0000000001"), user[:])
	id := "CAST(printf('order-%010d', version + ?) AS BLOB)"
	if db.Dialect() == sqldb.MySQL {
		id = "CONCAT('order-', LPAD(version + ?, 10, '0'))"
	}
	for have := 1; have < n; have *= 2 {
		exec("INSERT INTO orders ("+columns+") SELECT "+id+", user_id, CASE WHEN version + ? <= 3 THEN 'cancelled' ELSE 'placed' END, items,"+
			" currency, total, note, version + ?, sequence, created_at, updated_at, cancelled_at, cancel_reason FROM orders WHERE version <= ?",
			have, have, have, min(have, n-have))
	}
}

func TestListsOfOrdersReadWhatTheyShow(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, Migrations, func(t *testing.T, db *sqldb.DB) {
		user := uuid.New()
		fillOrders(t, db, 20_000, user)
		behind := uuid.UUID([]byte("order-0000010000"))
		for name, f := range map[string]query.Filter{
			"an admin's, cancelled": {Status: order.Cancelled}, "an admin's, placed": {Status: order.Placed},
			"a user's": {UserID: &user}, "a user's, cancelled": {UserID: &user, Status: order.Cancelled},
			"a later page": {UserID: &user, Behind: &behind}, "a later page of a status": {Status: order.Placed, Behind: &behind},
		} {
			statement, args := list(db.Dialect(), f, 51)
			if db.Dialect() == sqldb.MySQL {
				require.LessOrEqual(t, sqldbtest.RowsRead(t, db, statement, args...), 4*51, name)
				continue
			}
			rows, err := db.Query(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...)
			require.NoError(t, err)
			plan, err := sqldb.Collect(rows, func(r sqldb.Scanner) (detail string, err error) {
				var id, parent, unused int
				err = r.Scan(&id, &parent, &unused, &detail)
				return detail, err
			})
			require.NoError(t, err)
			for _, detail := range plan {
				require.NotContains(t, detail, "SCAN orders", name)
			}
		}
	})
}
