package sqldb_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/fault"
)

func TestFailedClosureLeavesNothing(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		refused := errors.New("refused")
		err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			require.NoError(t, insert(1)(ctx, tx))
			return refused
		})
		require.ErrorIs(t, err, refused)
		require.Zero(t, count(t, db, "SELECT COUNT(*) FROM things"))
	})
}

func TestConcurrentIncrementsLoseNone(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		require.NoError(t, db.Atomically(t.Context(), insert(1)))
		const writers, each = 32, 10
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
						var n int
						if err := tx.QueryRow(ctx, "SELECT n FROM things WHERE id = 1"+db.Dialect().ForUpdate()).Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec(ctx, "UPDATE things SET n = ? WHERE id = 1", n+1)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.Equal(t, writers*each, count(t, db, "SELECT n FROM things WHERE id = 1"))
	})
}

// Closures that wait share a transaction. One of them failing, panicking or leaving its goroutine takes nobody else along.
func TestClosuresOfOneTransactionFailAlone(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		const n = 60
		refused := errors.New("refused")
		var wg sync.WaitGroup
		release := holdWriters(t, db)
		for i := range n {
			wg.Go(func() {
				defer func() {
					if r := recover(); r != nil && r != "broken" {
						t.Errorf("panicked with %v", r)
					}
				}()
				err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					if err := insert(i+1)(ctx, tx); err != nil {
						return err
					}
					switch i % 4 {
					case 1:
						return refused
					case 2:
						panic("broken")
					case 3:
						if i%8 == 3 {
							runtime.Goexit()
						}
					}
					return nil
				})
				if (i%4 == 1) != errors.Is(err, refused) {
					t.Errorf("closure %d: %v", i, err)
				}
			})
		}
		release()
		wg.Wait()
		require.Zero(t, count(t, db, "SELECT COUNT(*) FROM things WHERE (id - 1) % 4 IN (1, 2) OR (id - 1) % 8 = 3"))
		require.Equal(t, n/4+(n/4)/2, count(t, db, "SELECT COUNT(*) FROM things"))
	})
}

// holdWriters keeps every writer busy until release, so that those who come meanwhile wait.
func holdWriters(t *testing.T, db *sqldb.DB) (release func()) {
	t.Helper()
	gate, held := make(chan struct{}), make(chan struct{}, 4)
	writers := 4
	if db.Dialect() == sqldb.SQLite {
		writers = 1
	}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			_ = db.Atomically(context.Background(), func(context.Context, *sqldb.Tx) error {
				held <- struct{}{}
				<-gate
				return nil
			})
		})
	}
	for range writers {
		<-held
	}
	return func() {
		close(gate)
		wg.Wait()
	}
}

// A closure that waits does not begin once its caller gave up, and one that runs is finished whatever its caller does.
func TestCallersContextReachesNoStatement(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			cancel()
			return insert(1)(ctx, tx)
		})
		require.NoError(t, err)
		require.Equal(t, 1, count(t, db, "SELECT COUNT(*) FROM things"))

		release := holdWriters(t, db)
		done := make(chan error)
		go func() { done <- db.Atomically(ctx, insert(2)) }()
		require.ErrorIs(t, <-done, context.Canceled)
		release()
		require.Equal(t, 1, count(t, db, "SELECT COUNT(*) FROM things"))
	})
}

// The database ends a transaction with an error; a closure that swallows it must not leave what it did afterwards.
func TestNothingIsCommittedBehindAnEndedTransaction(t *testing.T) {
	t.Parallel()
	t.Run("sqlite is full", func(t *testing.T) {
		t.Parallel()
		db := sqldbtest.Open(t, "sqlite:", things)
		ran := 0
		err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			ran++
			_, err := tx.Exec(ctx, "PRAGMA max_page_count = 1") // the smallest that holds what is there
			require.NoError(t, err)
			require.NoError(t, insert(1)(ctx, tx))
			_, err = tx.Exec(ctx, "INSERT INTO things (id, n, body) VALUES (2, 0, ?)", make([]byte, 1<<20))
			require.Error(t, err)
			_ = insert(3)(ctx, tx)
			return nil
		})
		require.ErrorIs(t, err, sqldb.ErrFull)
		require.Zero(t, count(t, db, "SELECT COUNT(*) FROM things"))
		require.Positive(t, ran)
	})
	t.Run("mysql deadlock", func(t *testing.T) {
		t.Parallel()
		db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
		for id := range 2 {
			require.NoError(t, db.Atomically(t.Context(), insert(id)))
		}
		// Two transactions lock two rows in opposite order, and each goes on whatever it hears. What a transaction leaves is all of it
		// or nothing: its first row changed and its own row inserted.
		var wg sync.WaitGroup
		var deadlocks atomic.Int32
		meet := newMeeting()
		for me := range 2 {
			wg.Go(func() {
				err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					_, _ = tx.Exec(ctx, "UPDATE things SET n = n + 1 WHERE id = ?", me)
					meet.wait()
					if _, err := tx.Exec(ctx, "UPDATE things SET n = n + 100 WHERE id = ?", 1-me); err != nil {
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
		require.Equal(t, 2, count(t, db, "SELECT COUNT(*) FROM things WHERE n = 101"))
		require.Equal(t, 4, count(t, db, "SELECT COUNT(*) FROM things"))
	})
}

// meeting lets the first two who come go on together, and everybody later at once.
type meeting struct {
	arrived atomic.Int32
	both    chan struct{}
}

func newMeeting() *meeting { return &meeting{both: make(chan struct{})} }

func (m *meeting) wait() {
	if m.arrived.Add(1) == 2 {
		close(m.both)
	}
	<-m.both
}

// A connection that breaks under a transaction undoes it, and the closure runs again on another.
func TestBrokenConnectionRunsAgain(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	ran := 0
	err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		ran++
		if err := insert(ran)(ctx, tx); err != nil {
			return err
		}
		if ran == 1 {
			_, err := tx.Exec(ctx, "KILL CONNECTION_ID()")
			return err
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, ran)
	require.Equal(t, 1, count(t, db, "SELECT COUNT(*) FROM things"))
	require.Equal(t, 2, count(t, db, "SELECT MIN(id) FROM things"))
}

// A commit that fails is an error: here by a constraint that is checked no earlier.
func TestFailedCommitIsAnError(t *testing.T) {
	t.Parallel()
	db := sqldbtest.Open(t, "sqlite:", things)
	require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE parts (id INTEGER PRIMARY KEY, thing INTEGER REFERENCES things(id) DEFERRABLE INITIALLY DEFERRED)")
		return err
	}))
	err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO parts (id, thing) VALUES (1, 99)")
		return err
	})
	require.Error(t, err)
	require.Zero(t, count(t, db, "SELECT COUNT(*) FROM parts"))
	require.NoError(t, db.Atomically(t.Context(), insert(1)), "the connection is of use after a failed commit")
}

func TestCallsBeforeMigrateAndAfterCloseAreRefused(t *testing.T) {
	t.Parallel()
	db, err := sqldb.Open(sqldb.Config{URL: "sqlite:", DataDir: t.TempDir(), Name: "early"})
	require.NoError(t, err)
	require.ErrorIs(t, db.Atomically(t.Context(), insert(1)), sqldb.ErrAway)
	require.ErrorIs(t, db.Ping(t.Context()), sqldb.ErrAway)
	require.NoError(t, db.Migrate(t.Context(), things))
	require.NoError(t, db.Atomically(t.Context(), insert(1)))
	require.NoError(t, db.Close())
	require.Equal(t, fault.Unavailable, fault.KindOf(db.Atomically(t.Context(), insert(2))))
}

func TestSeveralReplicasMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := sqldbtest.MySQL(t)
	first := sqldbtest.Open(t, url, things)
	var name string
	require.NoError(t, first.QueryRow(t.Context(), "SELECT DATABASE()").Scan(&name))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			db, err := sqldb.Open(sqldb.Config{URL: url, Name: name + "_b"})
			if err == nil {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				err = errors.Join(db.Migrate(ctx, things), db.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, first.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "DROP DATABASE `"+name+"_b`")
		return err
	}))
}

func TestUnreachableServerIsUnavailable(t *testing.T) {
	t.Parallel()
	db, err := sqldb.Open(sqldb.Config{URL: "mysql://nobody:secret@127.0.0.1:1/", Name: "millrace_away"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	err = db.Migrate(t.Context(), things)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.NotContains(t, err.Error(), "secret")
	_, err = sqldb.ParseURL("postgres://me:secret@host/")
	require.Error(t, err)
	require.False(t, strings.Contains(err.Error(), "secret"))
}

// A statement that the driver refuses to send takes its savepoint along: what is then undone must not be the neighbour's change.
func TestStatementThatWasNeverSentUndoesNobodyElse(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		const n = 200
		var wg sync.WaitGroup
		release := holdWriters(t, db)
		for i := range n {
			wg.Go(func() {
				err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					if i%2 == 0 {
						return insert(i)(ctx, tx)
					}
					_, err := tx.Exec(ctx, "INSERT INTO things (id, n) VALUES (?, ?)", i) // one argument too few
					return err
				})
				if (err == nil) != (i%2 == 0) {
					t.Errorf("closure %d: %v", i, err)
				}
			})
		}
		release()
		wg.Wait()
		require.Equal(t, n/2, count(t, db, "SELECT COUNT(*) FROM things"), "what was acknowledged is there")
	})
}

// Rows that a closure leaves open would keep its writer waiting for ever.
func TestClosureThatLeavesRowsOpenHoldsUpNobody(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		require.NoError(t, db.Atomically(t.Context(), insert(1)))
		open := func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Query(ctx, "SELECT id FROM things") //nolint:sqlclosecheck,rowserrcheck // left open on purpose
			return err
		}
		for range 8 { // more than there are writers
			require.NoError(t, db.Atomically(t.Context(), open))
			require.PanicsWithValue(t, "broken", func() {
				_ = db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					_ = open(ctx, tx)
					panic("broken")
				})
			})
		}
		require.NoError(t, db.Atomically(t.Context(), insert(2)))
		require.Equal(t, 2, count(t, db, "SELECT COUNT(*) FROM things"))
	})
}

func TestTransactionWithinATransactionIsAnError(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		other := sqldbtest.Open(t, "sqlite:", things)
		err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			if err := other.Atomically(ctx, insert(1)); err != nil {
				return err
			}
			require.NoError(t, insert(1)(ctx, tx))
			return db.Atomically(ctx, insert(2))
		})
		require.ErrorContains(t, err, "a transaction within a transaction")
		require.Zero(t, count(t, db, "SELECT COUNT(*) FROM things"))
		require.Equal(t, 1, count(t, other, "SELECT COUNT(*) FROM things"), "another database is none of it")
	})
}
