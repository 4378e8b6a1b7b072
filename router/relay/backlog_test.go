package relay

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

// The holder of a lease may be a process that hangs, and a database may have nobody who publishes at all.
func TestBacklogIsMeasuredWithoutTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		_, held, err := r.outbox.Acquire(t.Context(), "a process that hangs", time.Hour)
		require.NoError(t, err)
		require.True(t, held)
		for range 3 {
			r.outbox.add("a", 1)
		}
		stop := r.start(t, nil)
		<-time.After(41 * time.Second)
		require.InDelta(t, 3, r.gauge(t, "millrace_outbox_backlog"), 0)
		require.InDelta(t, 40, r.gauge(t, "millrace_outbox_oldest_seconds"), 1)
		require.InDelta(t, 41, r.relay.Waiting().Seconds(), 0.1)
		require.Zero(t, r.gauge(t, "millrace_relay_lease"))
		stop()
	})
}

// failingOutbox is an outbox whose statements fail while told so.
type failingOutbox struct {
	*memoryOutbox

	failing atomic.Bool
	tail    atomic.Bool // Tail fails
}

var errStatement = errors.New("the statement failed")

func (u *failingOutbox) Backlog(ctx context.Context) (outbox.Backlog, error) {
	if u.failing.Load() {
		return outbox.Backlog{}, errStatement
	}
	return u.memoryOutbox.Backlog(ctx)
}

func (u *failingOutbox) Tail(ctx context.Context, stream string, before uint64, limit int) ([]outbox.Published, error) {
	if u.tail.Load() {
		<-ctx.Done() // takes as long as it may
		return nil, ctx.Err()
	}
	return u.memoryOutbox.Tail(ctx, stream, before, limit)
}

func TestOldestAgeGrowsWhileTheDatabaseFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		outbox := &failingOutbox{memoryOutbox: r.outbox}
		r.broker.disconnect()
		r.outbox.add("a", 1)
		stop := r.start(t, func(c *Config) { c.Outbox = outbox })
		<-time.After(time.Second)
		outbox.failing.Store(true)
		<-time.After(time.Minute)
		require.InDelta(t, 1, r.gauge(t, "millrace_outbox_backlog"), 0)
		require.InDelta(t, 58, r.gauge(t, "millrace_outbox_oldest_seconds"), 4)
		stop()
	})
}

// A comparison that fails at the database keeps the relay from publishing, and nothing from being purged that the broker has.
func TestPurgeContinuesWhileTheTailCannotBeReconciled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		outbox := &failingOutbox{memoryOutbox: r.outbox}
		stop := r.start(t, func(c *Config) { c.Outbox = outbox })
		for n := range int64(20) {
			r.outbox.add("a", n+1)
		}
		eventually(t, time.Second, r.drained)
		<-time.After(2 * time.Second)
		outbox.tail.Store(true)
		r.broker.disconnect()
		<-time.After(time.Second)
		r.broker.reconnect(0)
		<-time.After(time.Minute)
		trouble, found := r.relay.DegradedReason()
		require.True(t, found)
		require.Empty(t, trouble.Stream, "the database's, and not the broker's")
		require.ErrorIs(t, trouble.Err, context.DeadlineExceeded)
		require.Equal(t, []string{"one"}, r.outbox.taken, "the lease was kept meanwhile")
		<-time.After(time.Hour)
		require.Empty(t, r.outbox.rows)
		outbox.tail.Store(false)
		r.outbox.add("a", 21)
		eventually(t, readTimeout+breakerMax+time.Second, r.drained)
		_, found = r.relay.DegradedReason()
		require.False(t, found)
		stop()
	})
}

// While its tail is not compared, the broker may have lost what it acknowledged last, however long ago that was.
func TestPurgeKeepsLostRowsWhileTheTailCannotBeReconciled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		outbox := &failingOutbox{memoryOutbox: r.outbox}
		stop := r.start(t, func(c *Config) { c.Outbox = outbox })
		for n := range int64(20) {
			r.outbox.add("a", n+1)
		}
		eventually(t, time.Second, r.drained)
		<-time.After(2 * time.Second)
		r.broker.disconnect()
		<-time.After(2 * time.Hour)
		outbox.tail.Store(true)
		r.broker.reconnect(5)
		<-time.After(time.Minute)
		require.Len(t, r.outbox.rows, 20)
		outbox.tail.Store(false)
		eventually(t, readTimeout+breakerMax+time.Second, func() bool { return len(r.broker.contents()) == 20 && r.drained() })
		r.requireOrder(t, map[string]int{"a": 20})
		stop()
	})
}

// slowTail is an outbox that takes longer to read a tail than a lease lasts.
type slowTail struct {
	*memoryOutbox

	takes time.Duration
}

func (o slowTail) Tail(ctx context.Context, stream string, before uint64, limit int) ([]outbox.Published, error) {
	select {
	case <-time.After(o.takes):
		return o.memoryOutbox.Tail(ctx, stream, before, limit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestReconcileMayTakeLongerThanTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newFixture()
		const takes = 6 * time.Second
		stop := r.start(t, func(c *Config) { c.Outbox = slowTail{r.outbox, takes} })
		r.outbox.add("a", 1)
		eventually(t, time.Duration(len(envelope.Prefixes()))*takes+time.Second, r.drained)
		require.Equal(t, []string{"one"}, r.outbox.taken, "the lease was renewed meanwhile")
		stop()
	})
}
