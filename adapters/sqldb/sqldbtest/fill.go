package sqldbtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
)

// fillStep is how many rows a statement of Fill stores at most, so that it ends well within the time that the server gives it.
const fillStep = 1 << 13

// FillOutbox stores n acknowledged rows of the stream "events" in an outbox that is empty, with the IDs and places 1 to n. All of them were
// published at the time at, in microseconds.
func FillOutbox(t testing.TB, db *sqldb.DB, n int, at int64, payload []byte) {
	t.Helper()
	exec := func(query string, args ...any) {
		err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, query, args...)
			return err
		})
		require.NoError(t, err)
	}
	id := "CAST(printf('%016d', id + ?) AS BLOB)"
	if db.Dialect() == sqldb.MySQL {
		id = "LPAD(id + ?, 16, '0')"
	}
	exec("INSERT INTO outbox (id, message_id, topic, partition_key, sequence, metadata, payload, created_at, published_at, stream_sequence)"+
		" VALUES (1, ?, 'events.order.placed.v1', 'a', 1, '{}', ?, ?, ?, 1)", []byte("0000000000000001"), payload, at, at)
	for have := 1; have < n; {
		step := min(have, fillStep, n-have)
		exec("INSERT INTO outbox (id, message_id, topic, partition_key, sequence, metadata, payload, created_at, published_at, stream_sequence)"+
			" SELECT id + ?, "+id+", topic, partition_key, sequence, metadata, payload, created_at, published_at, stream_sequence + ?"+
			" FROM outbox WHERE id <= ?", have, have, have, step)
		have += step
	}
}
