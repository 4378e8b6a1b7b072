package sqldb_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/limit"
)

var tenPerMinute = limit.Rule{Burst: 10, Per: time.Minute}

func newLimits(db *sqldb.DB, c *clock) *sqldb.Limits {
	return sqldb.NewLimits(db, []byte("a key of the limits"), c.now)
}

func take(t *testing.T, l *sqldb.Limits, bucket string, n int) time.Duration {
	t.Helper()
	wait, err := l.Take(t.Context(), bucket, tenPerMinute, n)
	require.NoError(t, err)
	return wait
}

func TestLimits(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		for name, check := range map[string]func(t *testing.T, l *sqldb.Limits, bucket string, c *clock){
			"a bucket empties and flows full again": func(t *testing.T, l *sqldb.Limits, bucket string, c *clock) {
				for range 10 {
					require.Zero(t, take(t, l, bucket, 1))
				}
				require.Equal(t, 6*time.Second, take(t, l, bucket, 1))
				require.Equal(t, 12*time.Second, take(t, l, bucket, 2))
				require.Zero(t, take(t, l, bucket+"'s neighbour", 1), "another bucket is full")
				c.advance(6*time.Second - time.Microsecond)
				require.Equal(t, time.Microsecond, take(t, l, bucket, 1))
				c.advance(time.Microsecond)
				require.Zero(t, take(t, l, bucket, 1))
				require.NotZero(t, take(t, l, bucket, 1))
				c.advance(time.Hour)
				require.Zero(t, take(t, l, bucket, 10), "full is full: an hour gives no more than the burst")
				require.NotZero(t, take(t, l, bucket, 1))
			},
			"what is given back can be taken": func(t *testing.T, l *sqldb.Limits, bucket string, _ *clock) {
				require.Zero(t, take(t, l, bucket, 10))
				require.NoError(t, l.Give(t.Context(), bucket, tenPerMinute, 3))
				require.Zero(t, take(t, l, bucket, 3))
				require.NotZero(t, take(t, l, bucket, 1))
			},
			"giving back to a full bucket makes it no larger": func(t *testing.T, l *sqldb.Limits, bucket string, _ *clock) {
				require.Zero(t, take(t, l, bucket, 1))
				require.NoError(t, l.Give(t.Context(), bucket, tenPerMinute, 10))
				require.Zero(t, take(t, l, bucket, 10))
				require.NotZero(t, take(t, l, bucket, 1))
			},
			"a clock that goes back locks nobody out": func(t *testing.T, l *sqldb.Limits, bucket string, c *clock) {
				require.Zero(t, take(t, l, bucket, 10))
				c.advance(-24 * time.Hour)
				require.Equal(t, 6*time.Second, take(t, l, bucket, 1))
				c.advance(6 * time.Second)
				require.Zero(t, take(t, l, bucket, 1))
			},
			"more than a bucket holds is a mistake": func(t *testing.T, l *sqldb.Limits, bucket string, _ *clock) {
				for _, n := range []int{-1, 0, 11} {
					_, err := l.Take(t.Context(), bucket, tenPerMinute, n)
					require.Error(t, err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := newClock()
				check(t, newLimits(db, c), name, c)
			})
		}
	})
}

func TestReplicasShareALimitExactly(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		rule := limit.Rule{Burst: 100, Per: time.Hour}
		var (
			wg    sync.WaitGroup
			taken atomic.Int64
		)
		for range 64 {
			replica := newLimits(db, c)
			wg.Go(func() {
				for range 4 {
					wait, err := replica.Take(context.Background(), "one for all", rule, 1)
					if err != nil {
						t.Error(err)
					} else if wait == 0 {
						taken.Add(1)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 100, taken.Load(), "256 asked for a bucket of 100")
	})
}

func TestNamesOfBucketsAreNotStored(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		require.Zero(t, take(t, newLimits(db, c), "192.0.2.7", 10))
		var stored []byte
		require.NoError(t, db.QueryRow(t.Context(), "SELECT bucket FROM limit_buckets").Scan(&stored))
		require.Len(t, stored, 16)
		require.NotContains(t, string(stored), "192")
		require.NotZero(t, take(t, newLimits(db, c), "192.0.2.7", 1), "a restart forgets nothing")
		require.Zero(t, take(t, sqldb.NewLimits(db, []byte("another key"), c.now), "192.0.2.7", 1), "names are hashed with the key")
	})
}

func TestFullBucketsArePurgedInSteps(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		l := newLimits(db, c)
		for i := range 7 {
			require.Zero(t, take(t, l, fmt.Sprint("bucket ", i), 1))
		}
		purge := func(most int) int {
			n, err := sqldb.NewPurge(db, c.now).Step(t.Context(), most)
			require.NoError(t, err)
			return n
		}
		rows := func() int { return count(t, db, "SELECT COUNT(*) FROM limit_buckets") }
		require.Zero(t, purge(5), "none is full")
		c.advance(30 * time.Second)
		require.Zero(t, purge(5), "full, but another replica's clock may be behind")
		c.advance(2 * time.Minute)
		require.Zero(t, take(t, l, "bucket 3", 10))
		require.Equal(t, 5, purge(5))
		require.Equal(t, 2, rows())
		require.Equal(t, 1, purge(5))
		require.Equal(t, 1, rows(), "the one that is in use stays")
		require.NotZero(t, take(t, l, "bucket 3", 1))
	})
}
