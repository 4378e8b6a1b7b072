package sqldb_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

// Under REPEATABLE READ a transaction would go on seeing what it saw first, and the relay and the writers would deadlock.
func TestTransactionsReadWhatIsCommittedMeanwhile(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		for want := range 2 {
			var n int
			require.NoError(t, tx.QueryRow(ctx, "SELECT COUNT(*) FROM things").Scan(&n))
			require.Equal(t, want, n)
			require.NoError(t, db.Atomically(t.Context(), insert(want)), "on another connection")
		}
		return nil
	})
	require.NoError(t, err)
}

// A statement that the client gives up holds its locks until the server ends it: the server has to be the first to give up.
func TestServerLimitsWhatAStatementWaitsAndWorks(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	limits := map[string]float64{}
	err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		rows, err := tx.Query(ctx, `SHOW SESSION VARIABLES
			WHERE Variable_name IN ('innodb_lock_wait_timeout', 'max_statement_time', 'max_execution_time')`)
		require.NoError(t, err)
		defer func() { require.NoError(t, rows.Close()) }()
		for rows.Next() {
			var (
				name  string
				value float64
			)
			require.NoError(t, rows.Scan(&name, &value))
			limits[name] = value
		}
		return rows.Err()
	})
	require.NoError(t, err)
	require.InDelta(t, 5, limits["innodb_lock_wait_timeout"], 0)
	if seconds, mariaDB := limits["max_statement_time"]; mariaDB {
		require.InDelta(t, 8, seconds, 0)
	} else {
		require.InDelta(t, 8000, limits["max_execution_time"], 0)
	}
}

// With less, SQLite answers a COMMIT before the disk has it.
func TestSQLiteSyncsEachCommit(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, "sqlite:", things)
	const full = 2
	err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		var level int
		require.NoError(t, tx.QueryRow(ctx, "PRAGMA synchronous").Scan(&level))
		require.Equal(t, full, level)
		return nil
	})
	require.NoError(t, err)
}

// Twenty-four readers in one process would otherwise grow to as many times the writer's cache.
func TestSQLiteReadersHaveSmallCaches(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, "sqlite:", things)
	require.Equal(t, -4000, count(t, db, "PRAGMA cache_size"))
}
