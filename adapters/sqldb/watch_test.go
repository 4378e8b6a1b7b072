package sqldb_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/fault"
)

// A server that takes connections and answers nothing is worse than none: without the watch each request waits for the driver's limit.
func TestRequestsAreRefusedWhileTheDatabaseHangs(t *testing.T) {
	t.Parallel()
	db, p := behindProxy(t, sqldb.Config{})
	require.NoError(t, db.Atomically(t.Context(), insert(1)))
	p.Stop()

	began := time.Now()
	waiting := make(chan error, 20)
	for range cap(waiting) / 2 {
		go func() {
			var n int
			waiting <- db.QueryRow(context.WithoutCancel(t.Context()), "SELECT COUNT(*) FROM things").Scan(&n)
		}()
		go func() { waiting <- db.Atomically(context.WithoutCancel(t.Context()), insert(2)) }()
	}
	for range cap(waiting) {
		err := <-waiting
		require.Equal(t, fault.Unavailable, fault.KindOf(err), err)
	}
	const driversLimit = 10 * time.Second
	require.Less(t, time.Since(began), driversLimit, "those who waited were told")
	for range 100 {
		require.ErrorIs(t, db.Ping(t.Context()), sqldb.ErrAway)
		require.ErrorIs(t, db.Writable(t.Context()), sqldb.ErrAway)
		require.ErrorIs(t, db.Atomically(t.Context(), insert(3)), sqldb.ErrAway)
		var n int
		require.ErrorIs(t, db.QueryRow(t.Context(), "SELECT 1").Scan(&n), sqldb.ErrAway)
	}
	require.Less(t, time.Since(began), driversLimit, "nobody waits any more")

	p.Resume()
	require.Eventually(t, func() bool { return db.Atomically(t.Context(), insert(4)) == nil }, waitFor, tick)
	require.Equal(t, 2, count(t, db, "SELECT COUNT(*) FROM things"), "nothing of what was refused was done")
}
