package eventsql

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

// scale is enough for plans with real statistics. `make large-tables` has five million.
var scale = flag.Int("scale", 50_000, "rows in the history of the tests of large tables")

// Positions are given many times a second, in a history that only grows.
func TestPositionsReadNoMoreThanTheEventsThatWait(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, Migrations, func(t *testing.T, db *sqldb.DB) {
		fillHistory(t, db, *scale)
		ids := make([]int64, 100)
		for i := range ids {
			ids[i] = int64(*scale - i)
		}
		update, args := assignment(ids, int64(2**scale))
		for _, s := range []statement{
			{selectAnyUnpositioned(db.Dialect()), nil},
			{selectUnpositioned(db.Dialect()), []any{sqldb.Micros(time.Now()), 0, 500}},
			{update + db.Dialect().Limit(len(ids)), args},
		} {
			if db.Dialect() == sqldb.MySQL {
				require.LessOrEqual(t, sqldbtest.RowsRead(t, db, s.query, s.args...), len(ids), s.query)
				continue
			}
			for _, search := range sqldbtest.Searches(t, db, s.query, s.args...) {
				require.Contains(t, sqliteSearches, search, s.query)
			}
		}
	})
}

type statement struct {
	query string
	args  []any
}

// fillHistory makes a history of n events, the last three of which wait for a position.
func fillHistory(t *testing.T, db *sqldb.DB, n int) {
	t.Helper()
	exec := func(query string, args ...any) {
		require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, query, args...)
			return err
		}))
	}
	const (
		step = 1 << 13
		into = "INSERT INTO history (id, position, event_id, type, source, partition_key, sequence, time, recorded_at, correlation_id," +
			" causation_id, metadata, data)"
	)
	text := func(prefix string) string { return "CAST(printf('" + prefix + "%012d', id + ?) AS BLOB)" }
	if db.Dialect() == sqldb.MySQL {
		text = func(prefix string) string { return "CONCAT('" + prefix + "', LPAD(id + ?, 12, '0'))" }
	}
	exec(into+" VALUES (1, 1, ?, ?, ?, ?, 1, 1, 1, ?, ?, '{}', '{}')",
		[]byte("evnt000000000001"), []byte("order.placed.v1"), []byte("/order"), []byte("key000000000001"), []byte("c"), []byte("c"))
	for have := 1; have < n; {
		more := min(have, step, n-have)
		exec(into+" SELECT id + ?, position + ?, "+text("evnt")+", type, source, "+text("key")+", 1, time + ?, 1, "+text("c")+
			", causation_id, metadata, data FROM history WHERE id <= ?", have, have, have, have, have, have, more)
		have += more
	}
	exec("UPDATE history SET position = NULL, sequence = 2 WHERE id > ?", n-3)
}

// sqliteSearches are the ways in which SQLite may look for events that wait.
var sqliteSearches = []string{
	"SCAN CONSTANT ROW", "SCALAR SUBQUERY 1", // EXISTS
	"SEARCH history USING COVERING INDEX sqlite_autoindex_history_1 (position=?)",
	"SEARCH h USING INDEX sqlite_autoindex_history_1 (position=? AND rowid>?)",
	"SEARCH p USING INDEX history_sequence (partition_key=? AND sequence=?) LEFT-JOIN",
	"SEARCH history USING INTEGER PRIMARY KEY (rowid=?)",
}
