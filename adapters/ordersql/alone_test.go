package ordersql_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/ordersql"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/order"
	"github.com/millrace/millrace/app/order/command"
)

// Behind a deadlock an order is placed in a transaction of its own, by other statements than those of many callers.
func TestOrderBehindADeadlockIsNotPlacedPastTheDeletionOfItsCustomer(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(ctx context.Context, tx command.Tx, o order.Order) error{
		"known customer": func(ctx context.Context, tx command.Tx, o order.Order) error {
			stored, err := tx.InsertForCustomer(ctx, o)
			require.True(t, stored)
			return err
		},
		"customer that became known meanwhile": func(ctx context.Context, tx command.Tx, o order.Order) error {
			if _, err := tx.Customer(ctx, o.UserID); err != nil {
				return err
			}
			return tx.Insert(ctx, o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := sqldbtest.Open(t, sqldbtest.MySQL(t), ordersql.Migrations)
			outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceOrder, NewID: uuid.New, Now: time.Now})
			store := ordersql.NewStore(db, outbox, sqldb.NewInbox(db, sqldb.InboxConfig{Consumer: "order-customers", Now: time.Now}))
			o, _, err := order.Place(uuid.New(), order.Draft{
				UserID: uuid.New(), Items: []order.Item{{SKU: "A", Quantity: 1, UnitPrice: 1}}, Currency: "EUR",
			}, time.Now())
			require.NoError(t, err)
			require.NoError(t, store.Atomically(t.Context(), func(ctx context.Context, tx command.Tx) error {
				return tx.RecordCustomer(ctx, order.Customer{UserID: o.UserID, Role: "user", Version: 1}, time.Now())
			}))

			held, release, placed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			runs := 0
			go func() {
				placed <- store.Atomically(context.Background(), func(ctx context.Context, tx command.Tx) error {
					if runs++; runs == 1 {
						return deadlock(ctx, tx)
					}
					if err := place(ctx, tx, o); err != nil {
						return err
					}
					close(held)
					<-release
					return nil
				})
			}()
			<-held
			var ids []uuid.UUID
			forgotten := make(chan error, 1)
			go func() {
				forgotten <- store.Atomically(context.Background(), func(ctx context.Context, tx command.Tx) (err error) {
					if err = tx.ForgetCustomer(ctx, o.UserID, time.Now()); err == nil {
						ids, err = tx.PlacedBy(ctx, o.UserID, 10)
					}
					return err
				})
			}()
			require.Eventually(t, func() bool { return len(forgotten) == 1 || waiting(t, db) > 0 }, time.Minute, 10*time.Millisecond)
			close(release)
			require.NoError(t, <-placed)
			require.NoError(t, <-forgotten)
			require.Equal(t, []uuid.UUID{o.ID}, ids, "the deletion overtook the order, which nobody will cancel")
		})
	}
}

// deadlock has the server answer as if it had chosen this transaction as the victim.
func deadlock(ctx context.Context, tx command.Tx) error {
	_, err := tx.(interface {
		Exec(ctx context.Context, query string, args ...any) (int64, error)
	}).Exec(ctx, "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213")
	return err
}

// waiting counts the statements of this database that wait for locks: none works for a second.
func waiting(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(context.Background(),
		"SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Query' AND time >= 1").Scan(&n))
	return n
}
