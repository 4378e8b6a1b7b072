package usersql_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/adapters/usersql"
	"github.com/millrace/millrace/app/user/command"
)

func TestAddressesAreRememberedForAWhileAndGoWithTheirUser(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, usersql.Migrations, func(t *testing.T, db *sqldb.DB) {
		store, at := usersql.NewStore(db, nil), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		ada, eve := uuid.New(), uuid.New()
		change := func(fn func(ctx context.Context, tx command.Tx) error) {
			require.NoError(t, store.Atomically(t.Context(), fn))
		}
		remember := func(mark byte, id uuid.UUID, until time.Time) {
			change(func(ctx context.Context, tx command.Tx) error {
				return tx.RememberAddress(ctx, command.AddressMark{mark}, id, until)
			})
		}
		known := func(at time.Time) (known []byte) {
			for mark := range byte(4) {
				is, err := store.SignedInFrom(t.Context(), command.AddressMark{mark}, at)
				require.NoError(t, err)
				if is {
					known = append(known, mark)
				}
			}
			return known
		}
		remember(1, ada, at.Add(time.Hour))
		remember(2, ada, at.Add(time.Hour))
		remember(2, ada, at.Add(2*time.Hour))
		remember(3, eve, at.Add(2*time.Hour))
		require.Equal(t, []byte{1, 2, 3}, known(at))
		require.Equal(t, []byte{2, 3}, known(at.Add(time.Hour)))

		later := func() time.Time { return at.Add(time.Hour) }
		n, err := sqldb.NewPurge(db, later, usersql.Expiring...).Step(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, []byte{2, 3}, known(at))
		change(func(ctx context.Context, tx command.Tx) error { return tx.Delete(ctx, ada) })
		require.Equal(t, []byte{3}, known(at))
	})
}
