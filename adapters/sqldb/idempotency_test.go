package sqldb_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/idempotency"
)

// remember keeps an answer under the key of that first byte.
func remember(t *testing.T, db *sqldb.DB, key byte, at time.Time) error {
	t.Helper()
	r := idempotency.Record{
		Owner: uuid.UUID{9}, At: at, Answer: idempotency.Answer{Status: 201, Location: "/there", ETag: `"1"`, Body: []byte{0, key, 0xff}},
	}
	r.Key.ID[0] = key
	return db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return tx.Remember(ctx, &r) })
}

func TestAnswersAreKeptForADay(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		purge := sqldb.NewPurge(db, c.now)
		for key := range byte(5) {
			require.NoError(t, remember(t, db, key, c.now()))
			c.advance(time.Hour)
		}
		var replay *idempotency.Replay
		require.ErrorAs(t, remember(t, db, 3, c.now()), &replay)
		require.Equal(t, idempotency.Answer{Status: 201, Location: "/there", ETag: `"1"`, Body: []byte{0, 3, 0xff}}, replay.Answer)

		c.advance(21*time.Hour + time.Second) // the first three are older than a day
		n, err := purge.Step(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, remember(t, db, 1, c.now()), "it is old, though not purged yet")
		require.ErrorAs(t, remember(t, db, 1, c.now()), &replay, "and was kept anew")
		n, err = purge.Step(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, 3, count(t, db, "SELECT COUNT(*) FROM idempotency"))
		require.ErrorAs(t, remember(t, db, 4, c.now()), &replay)
	})
}

func TestNobodyRemembersWithoutAKey(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return tx.Remember(ctx, nil) }))
		require.Zero(t, count(t, db, "SELECT COUNT(*) FROM idempotency"))
	})
}
