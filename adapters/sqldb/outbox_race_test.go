package sqldb_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/outbox"
)

// published stores n rows and marks them.
func (k *keeper) published(n int, epoch int64) []outbox.Published {
	for i := range n {
		require.NoError(k.t, k.publish(k.t.Context(), int64(i+1)))
	}
	var marks []outbox.Published
	for i, row := range k.pending() {
		marks = append(marks, outbox.Published{ID: row.ID, MessageID: row.MessageID, Topic: row.Topic, StreamSequence: uint64(i + 1)})
	}
	require.NoError(k.t, k.outbox.Mark(k.t.Context(), epoch, marks))
	return marks
}

// holding runs statements in a transaction that stays open until release, which commits it.
func (k *keeper) holding(queries ...string) (release func()) {
	held, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- k.db.Atomically(context.Background(), func(ctx context.Context, tx *sqldb.Tx) error {
			for _, query := range queries {
				if _, err := tx.Exec(ctx, query); err != nil {
					return err
				}
			}
			close(held)
			<-gate
			return nil
		})
	}()
	select {
	case <-held:
	case err := <-done:
		k.t.Fatalf("the transaction could not be held open: %v", err)
	}
	return func() {
		close(gate)
		require.NoError(k.t, <-done)
	}
}

// waiting counts this database's statements that wait for locks: none works for a second. (What InnoDB tells of its transactions is
// not made anew while several ask for it.)
func (k *keeper) waiting() int {
	return count(k.t, k.db, "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Query' AND time >= 1")
}

func onMySQL(t *testing.T) *keeper {
	t.Helper()
	t.Parallel()
	return newKeeper(t, sqldbtest.Open(t, sqldbtest.MySQL(t), things), false)
}

// The next holder publishes again what it finds unmarked: marks of the holder before it that came behind its reading would be of
// publications that it repeats.
func TestLeaseIsNotTakenWhileMarksAreBeingStored(t *testing.T) {
	k := onMySQL(t)
	epoch, held, err := k.outbox.Acquire(t.Context(), "first", time.Millisecond)
	require.NoError(t, err)
	require.True(t, held)
	require.NoError(t, k.publish(t.Context(), 1))
	row := k.pending()[0]
	release := k.holding("UPDATE outbox SET topic = topic")

	marked := make(chan error, 1)
	go func() {
		marked <- k.outbox.Mark(context.Background(), epoch,
			[]outbox.Published{{ID: row.ID, MessageID: row.MessageID, Topic: row.Topic, StreamSequence: 1}})
	}()
	require.Eventually(t, func() bool { return k.waiting() == 1 }, waitFor, tick)
	var taken atomic.Bool
	acquired := make(chan error, 1)
	go func() {
		_, held, err := k.outbox.Acquire(context.Background(), "second", time.Minute)
		taken.Store(held)
		acquired <- err
	}()
	require.Eventually(t, func() bool { return taken.Load() || k.waiting() == 2 }, waitFor, tick)
	require.False(t, taken.Load(), "taken behind the check of the epoch")
	release()
	require.NoError(t, <-marked)
	require.NoError(t, <-acquired)
	require.True(t, taken.Load())
	require.Empty(t, k.pending())
}

// A purge that a comparison of the tail overtakes must leave what that made pending again.
func TestPurgeLeavesARowThatIsMadePendingMeanwhile(t *testing.T) {
	k := onMySQL(t)
	k.published(2, k.lease())
	k.clock.advance(2 * time.Hour)
	release := k.holding("UPDATE outbox SET stream_sequence = NULL, published_at = NULL WHERE sequence = 1")
	purged := make(chan error, 1)
	go func() {
		_, err := k.purge(time.Hour, 10)
		purged <- err
	}()
	require.Eventually(t, func() bool { return k.waiting() == 1 }, waitFor, tick)
	release()
	require.NoError(t, <-purged)
	require.Len(t, k.pending(), 1)
	require.Equal(t, 1, count(t, k.db, "SELECT COUNT(*) FROM outbox"))
}

// A nearly empty table MySQL scans for a list of IDs. Without an end it goes on to the rows of open transactions, and waits for them.
func TestMarksAndPurgesWaitForNoWriter(t *testing.T) {
	k := onMySQL(t)
	epoch := k.lease()
	marks := k.published(40, epoch)
	k.clock.advance(2 * time.Hour)
	release := k.holding(`INSERT INTO outbox (message_id, topic, partition_key, sequence, metadata, payload, created_at)
		VALUES ('0123456789abcdef', 'events.order.placed.v1', 'b', 1, '{}', '', 0)`)
	defer release()
	free := func(what string, work func(context.Context) error) {
		done := make(chan error, 1)
		go func() { done <- work(context.Background()) }()
		require.Eventually(t, func() bool { return len(done) == 1 || k.waiting() > 0 }, waitFor, tick)
		require.Zero(t, k.waiting(), "the "+what+" waits for a writer")
		require.NoError(t, <-done)
	}
	free("mark", func(ctx context.Context) error { return k.outbox.Mark(ctx, epoch, marks) })
	free("purge", func(ctx context.Context) error { _, err := k.purge(-time.Hour, len(marks)); return err })
}

// The relay pages by ID, and tells rows apart by it: one that comes back would be a row that it has dealt with.
func TestIDsOfPurgedRowsDoNotComeBack(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		last := k.published(2, k.lease())[1]
		k.clock.advance(2 * time.Hour)
		deleted, err := k.purge(time.Hour, 10)
		require.NoError(t, err)
		require.EqualValues(t, 2, deleted)
		require.NoError(t, k.publish(t.Context(), 3))
		require.Greater(t, k.pending()[0].ID, last.ID)
	})
}

// What is kept for an hour is looked at every few seconds: looking at all of it would keep the database busy with nothing else.
func TestPurgeReadsNoMoreThanItsStepWhereNothingIsOver(t *testing.T) {
	timingtest.Only(t)
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		k.published(1, k.lease())
		random := map[sqldb.Dialect]string{sqldb.SQLite: "randomblob(16)", sqldb.MySQL: "UNHEX(MD5(UUID()))"}[k.db.Dialect()]
		for range 16 { // doubles
			require.NoError(t, k.db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO outbox (message_id, topic, partition_key, sequence, metadata, payload, created_at,
					published_at, stream_sequence) SELECT `+random+`, topic, partition_key, sequence, metadata, payload, created_at,
					published_at, stream_sequence FROM outbox`)
				return err
			}))
		}
		quickest := func(work func()) time.Duration {
			least := time.Hour
			for range 5 {
				began := time.Now()
				work()
				least = min(least, time.Since(began))
			}
			return least
		}
		all := quickest(func() { count(t, k.db, "SELECT COUNT(*) FROM outbox WHERE published_at < 0") })
		step := quickest(func() {
			deleted, err := k.purge(time.Hour, 100)
			require.NoError(t, err)
			require.Zero(t, deleted)
		})
		require.Less(t, step, all/4)
	})
}

// A key that the broker refuses stays in front for ever.
func TestPurgeLooksBehindRowsThatWait(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		const held, over, step = 25, 7, 10
		for n := range held {
			require.NoError(t, k.publish(t.Context(), int64(n+1)))
		}
		epoch := k.lease()
		var marks []outbox.Published
		for n := range over {
			require.NoError(t, k.publish(t.Context(), int64(held+n+1)))
		}
		for _, row := range k.pending()[held:] {
			marks = append(marks, outbox.Published{ID: row.ID, MessageID: row.MessageID, Topic: row.Topic, StreamSequence: uint64(row.ID)})
		}
		require.NoError(t, k.outbox.Mark(t.Context(), epoch, marks))
		k.clock.advance(2 * time.Hour)
		deleted, err := k.purge(time.Hour, step)
		require.NoError(t, err)
		require.EqualValues(t, over, deleted)
		require.Len(t, k.pending(), held)
	})
}
