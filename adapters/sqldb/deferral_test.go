package sqldb_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/outbox"
)

var errUnwelcome = errors.New("unwelcome")

// unwelcome is an n that the batch of a ward does not take.
const unwelcome = -1

// ward leaves rows of things to the door, and looks at how many it stores at once.
type ward struct {
	batch sqldb.Batch
	most  atomic.Int32
}

func newWard() *ward {
	w := &ward{}
	w.batch = sqldb.Batch{Into: "things (id, n)", Check: func(_ context.Context, _ *sqldb.Tx, rows [][]any) error {
		w.most.Store(max(w.most.Load(), int32(len(rows))))
		for _, row := range rows {
			if row[1] == unwelcome {
				return errUnwelcome
			}
		}
		return nil
	}}
	return w
}

// leave stores a row, later where it can be.
func (w *ward) leave(id, n int) func(context.Context, *sqldb.Tx) error {
	return func(ctx context.Context, tx *sqldb.Tx) error {
		switch {
		case tx.Defer(&w.batch, []any{id, n}):
			return nil
		case n == unwelcome:
			return errUnwelcome
		}
		_, err := tx.Exec(ctx, "INSERT INTO things (id, n) VALUES (?, ?)", id, n)
		return err
	}
}

// Closures of one transaction that do all kinds of things after leaving a row to the door have no effect on each other.
func TestDeferredRowsAreTheirClosuresAlone(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		const n, kinds = 64, 8
		w, refused := newWard(), errors.New("refused")
		change := func(ctx context.Context, tx *sqldb.Tx, id int) error {
			met, err := tx.Exec(ctx, "UPDATE things SET n = n + 1 WHERE id = ?", id)
			if err == nil && met != 1 {
				err = errors.New("its own row is not there")
			}
			return err
		}
		then := [kinds]func(ctx context.Context, tx *sqldb.Tx, id int) error{
			0: func(context.Context, *sqldb.Tx, int) error { return nil },
			1: func(context.Context, *sqldb.Tx, int) error { return refused },
			2: func(context.Context, *sqldb.Tx, int) error { panic("broken") },
			3: change,
			4: func(ctx context.Context, tx *sqldb.Tx, id int) error {
				return errors.Join(change(ctx, tx, id), w.leave(1000+id, 0)(ctx, tx))
			},
			5: func(ctx context.Context, tx *sqldb.Tx, id int) error {
				return errors.Join(change(ctx, tx, id), w.leave(1000+id, 0)(ctx, tx), refused)
			},
			6: func(ctx context.Context, tx *sqldb.Tx, _ int) error {
				return errors.Join(insert(-1)(ctx, tx), refused)
			},
			7: func(ctx context.Context, tx *sqldb.Tx, id int) error {
				var there int
				return errors.Join(tx.QueryRow(ctx, "SELECT id FROM things WHERE id = ?", id).Scan(&there))
			},
		}
		fails := [kinds]error{1: refused, 5: refused, 6: refused}
		var wg, waiting sync.WaitGroup
		waiting.Add(n)
		release := holdWriters(t, db)
		for id := range n {
			wg.Go(func() {
				waiting.Done()
				defer func() {
					if r := recover(); r != nil && r != "broken" {
						t.Errorf("panicked with %v", r)
					}
				}()
				err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					if err := w.leave(id, 0)(ctx, tx); err != nil {
						return err
					}
					return then[id%kinds](ctx, tx, id)
				})
				if !errors.Is(err, fails[id%kinds]) || err == nil != (fails[id%kinds] == nil) {
					t.Errorf("closure %d: %v", id, err)
				}
			})
		}
		waiting.Wait()
		release()
		wg.Wait()
		require.Zero(t, count(t, db, "SELECT COUNT(*) FROM things WHERE id % 8 IN (1, 2, 5, 6) OR id < 0"))
		require.Equal(t, n/kinds*5, count(t, db, "SELECT COUNT(*) FROM things"))
		require.Equal(t, n/kinds*2, count(t, db, "SELECT SUM(n) FROM things"))
	})
}

func TestRowsOfManyClosuresAreStoredTogether(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	k, w := newKeeper(t, db, false), newWard()
	const n = 250
	var wg, waiting sync.WaitGroup
	waiting.Add(n)
	release := holdWriters(t, db)
	for id := range n {
		wg.Go(func() {
			waiting.Done()
			err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				if err := w.leave(id, 0)(ctx, tx); err != nil {
					return err
				}
				return k.outbox.Publish(ctx, tx, 1, contract.OrderDeleted{})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	release()
	wg.Wait()
	require.Equal(t, n, count(t, db, "SELECT COUNT(*) FROM things"))
	require.Len(t, k.pending(), n)
	require.Greater(t, w.most.Load(), int32(1))
}

// One of the many rows in a statement cannot be stored. Its closure alone hears of it, also where another closure was the first to run
// into the error, and swallowed it.
func TestRowThatCannotBeStoredIsItsClosuresAlone(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]struct {
		n  int
		is func(error) bool
	}{
		"duplicate": {0, sqldb.IsDuplicate},
		"refused":   {unwelcome, func(err error) bool { return errors.Is(err, errUnwelcome) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) { oneIsBad(t, db, bad.n, bad.is) })
		})
	}
}

func oneIsBad(t *testing.T, db *sqldb.DB, bad int, is func(error) bool) {
	t.Helper()
	const n = 40
	w := newWard()
	require.NoError(t, db.Atomically(t.Context(), insert(0)))
	var wg, waiting sync.WaitGroup
	waiting.Add(n)
	release := holdWriters(t, db)
	for id := range n {
		wg.Go(func() {
			waiting.Done()
			err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				switch {
				case id == 0:
					return w.leave(id, bad)(ctx, tx)
				case id%8 == 7:
					_, _ = tx.Exec(ctx, "UPDATE things SET n = n + 1 WHERE id = -1")
					_ = insert(id)(ctx, tx)
					return nil
				}
				return w.leave(id, 0)(ctx, tx)
			})
			if (id == 0) != (err != nil) || err != nil && !is(err) {
				t.Errorf("closure %d: %v", id, err)
			}
		})
	}
	waiting.Wait()
	release()
	wg.Wait()
	require.Equal(t, n, count(t, db, "SELECT COUNT(*) FROM things"))
}

// A writer that waits for a lock, or for a slow closure, holds up those of its group and nobody else; and marks have a writer of their own.
func TestHeldUpWriterPassesTheTurnOn(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	began, gate, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- db.Atomically(context.Background(), func(context.Context, *sqldb.Tx) error {
			close(began)
			<-gate
			return nil
		})
	}()
	<-began
	require.NoError(t, db.Atomically(t.Context(), insert(1)))
	close(gate)
	require.NoError(t, <-done)

	k := newKeeper(t, db, false)
	require.NoError(t, k.publish(t.Context(), 1))
	row, epoch := k.pending()[0], k.lease()
	release := holdWriters(t, db)
	require.NoError(t, k.outbox.Mark(t.Context(), epoch, []outbox.Published{{ID: row.ID, StreamSequence: 1}}))
	release()
	require.Empty(t, k.pending())
}
