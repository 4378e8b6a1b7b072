package sqldb_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

func TestReadOnlySQLiteIsToldAsSuch(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, "sqlite:", things)
	makeReadOnly := func() {
		require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "PRAGMA query_only = 1")
			return err
		}))
	}
	makeReadOnly()
	require.ErrorIs(t, db.Atomically(t.Context(), insert(1)), sqldb.ErrReadOnly)
	require.Zero(t, count(t, db, "SELECT COUNT(*) FROM things"), "reads go on")
	require.NoError(t, db.Atomically(t.Context(), insert(1)), "a connection that is read-only is not used again")
	makeReadOnly()
	require.ErrorIs(t, db.Writable(t.Context()), sqldb.ErrReadOnly)
	require.Eventually(t, func() bool { return db.Writable(t.Context()) == nil }, waitFor, tick)
}
