package sqldb_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
)

func TestWhatCannotComeAgainIsForgottenInSteps(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		const day = 24 * time.Hour
		purge := sqldb.NewPurge(k.db, k.clock.now)
		see := func(sequence int64) {
			e := event("a", sequence)
			e.Sequence = 0
			require.NoError(t, k.inbox.Apply(t.Context(), e, func(context.Context, *sqldb.Tx, bool) error { return nil }))
			_, err := k.failures.Failed(t.Context(), k.failure(event("a", sequence), 0), 1)
			require.NoError(t, err)
		}
		for n := range int64(3) {
			see(n)
		}
		k.clock.advance(29 * day)
		see(3)
		_, err := k.failures.Failed(t.Context(), k.failure(event("a", 2), 0), 1)
		require.NoError(t, err)
		k.clock.advance(2 * day)
		for range 2 {
			n, err := purge.Step(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		n, err := purge.Step(t.Context(), 1)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, 2, count(t, k.db, "SELECT COUNT(*) FROM failures"), "one is young, one failed again")

		n, err = purge.Step(t.Context(), 10)
		require.NoError(t, err)
		require.Zero(t, n, "rows of the inbox outlive what may bring them back")
		k.clock.advance(335 * day)
		n, err = purge.Step(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		n, err = purge.Step(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, 1, count(t, k.db, "SELECT COUNT(*) FROM inbox_seen"))
	})
}
