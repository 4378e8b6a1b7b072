package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

// MySQL sends the head of a result first: a deadlock that a query meets is heard of behind its rows.
func TestDeadlockBehindTheRowsOfAQueryEndsTheTransaction(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(context.Context, *sqldb.Tx, int) error{
		"rows whose error nobody asks for": func(ctx context.Context, tx *sqldb.Tx, id int) error {
			rows, err := tx.Query(ctx, "SELECT n FROM things WHERE id >= ? AND id <= ? ORDER BY n FOR UPDATE", id, id)
			if err != nil {
				return err
			}
			met := false
			for rows.Next() {
				met = true
			}
			if !met {
				return sql.ErrNoRows
			}
			return nil
		},
		"rows": func(ctx context.Context, tx *sqldb.Tx, id int) error {
			rows, err := tx.Query(ctx, "SELECT n FROM things WHERE id >= ? AND id <= ? ORDER BY n FOR UPDATE", id, id)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		},
		"row": func(ctx context.Context, tx *sqldb.Tx, id int) error {
			var n int
			return tx.QueryRow(ctx, "SELECT n FROM things WHERE id = ? FOR UPDATE", id).Scan(&n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
			for id := range 2 {
				require.NoError(t, db.Atomically(t.Context(), insert(id)))
			}
			var wg sync.WaitGroup
			var deadlocks atomic.Int32
			meet := newMeeting()
			for me := range 2 {
				wg.Go(func() {
					err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
						_, _ = tx.Exec(ctx, "UPDATE things SET n = n + 1 WHERE id = ?", me)
						meet.wait()
						if read(ctx, tx, 1-me) != nil {
							deadlocks.Add(1)
						}
						_ = insert(10+me)(ctx, tx)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Positive(t, deadlocks.Load(), "the test provoked no deadlock")
			require.Equal(t, 2, count(t, db, "SELECT COUNT(*) FROM things WHERE n = 1"), "each change with its row, or neither")
			require.Equal(t, 4, count(t, db, "SELECT COUNT(*) FROM things"))
		})
	}
}

// A closure that panics behind an error that ended its transaction is gone: nothing of it may run again, and nobody waits for it.
func TestPanicBehindAnEndedTransactionSurfaces(t *testing.T) {
	t.Parallel()
	for name, panicsAt := range map[string]int{"in the shared transaction": 1, "in one of its own": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
			surfaced := make(chan any, 1)
			var ran atomic.Int32
			go func() {
				defer func() { surfaced <- recover() }()
				_ = db.Atomically(context.Background(), func(ctx context.Context, tx *sqldb.Tx) error {
					n := ran.Add(1)
					_, err := tx.Exec(ctx, "KILL CONNECTION_ID()")
					if int(n) == panicsAt {
						panic("broken")
					}
					return err
				})
			}()
			select {
			case r := <-surfaced:
				require.Equal(t, "broken", r)
			case <-time.After(waitFor):
				t.Fatal("the panic is still on its way")
			}
			require.EqualValues(t, panicsAt, ran.Load())
			require.NoError(t, db.Atomically(t.Context(), insert(1)), "the door is of use afterwards")
		})
	}
}
