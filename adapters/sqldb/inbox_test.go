package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/inbox"
)

const (
	consumer = "things-keeper"
	gap      = 10 * time.Minute
)

// clock is a time that tests move.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// keeper is a consumer that writes down what it applied.
type keeper struct {
	t        *testing.T
	db       *sqldb.DB
	inbox    *sqldb.Inbox
	failures *sqldb.Failures
	outbox   *sqldb.Outbox
	clock    *clock
}

func newKeeper(t *testing.T, db *sqldb.DB, take bool) *keeper {
	t.Helper()
	c := newClock()
	outbox := sqldb.NewOutbox(db, sqldb.OutboxConfig{Source: contract.SourceOrder, NewID: newID, Now: c.now})
	return &keeper{
		t: t, db: db, outbox: outbox, clock: c,
		inbox:    sqldb.NewInbox(db, sqldb.InboxConfig{Consumer: consumer, Gap: gap, Take: take, Now: c.now}),
		failures: sqldb.NewFailures(db, outbox, gap, c.now),
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// event is number sequence of key, with an ID that is always the same.
func event(key string, sequence int64) envelope.Envelope {
	return envelope.Envelope{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, key, sequence)).String(), Type: contract.TypeUserUpdated,
		Source: contract.SourceUser, Key: key, Sequence: sequence, Data: []byte(`{}`),
	}
}

// apply writes the event's sequence down as a row, so that a second effect of it would be a duplicate.
func (k *keeper) apply(e envelope.Envelope) (late bool, err error) {
	err = k.inbox.Apply(k.t.Context(), e, func(ctx context.Context, tx *sqldb.Tx, l bool) error {
		late = l
		return insert(int(e.Sequence))(ctx, tx)
	})
	return late, err
}

// look has e come back every half minute for d, and be put back each time.
func (k *keeper) look(e envelope.Envelope, d time.Duration) {
	for end := k.clock.now().Add(d); k.clock.now().Before(end); {
		_, err := k.apply(e)
		require.ErrorIs(k.t, err, sqldb.ErrEarly)
		k.clock.advance(min(30*time.Second, end.Sub(k.clock.now())))
	}
}

func (k *keeper) applied() int { return count(k.t, k.db, "SELECT COUNT(*) FROM things") }

func (k *keeper) failure(e envelope.Envelope, round int) inbox.Failure {
	return inbox.Failure{
		Consumer: consumer, Event: e, Metadata: e.Metadata(), Subject: envelope.Topic(e.Type), Round: round, Reason: "it broke",
	}
}

func (k *keeper) giveUp(f inbox.Failure) error {
	c, err := k.failures.Failed(k.t.Context(), f, 1)
	require.NoError(k.t, err)
	return k.failures.GiveUp(k.t.Context(), f, c)
}

func (k *keeper) poisonMessages() int {
	return count(k.t, k.db, "SELECT COUNT(*) FROM outbox WHERE topic = ?", "poison."+consumer)
}

func eachKeeper(t *testing.T, take bool, fn func(t *testing.T, k *keeper)) {
	t.Parallel()
	sqldbtest.Each(t, things, func(t *testing.T, db *sqldb.DB) { fn(t, newKeeper(t, db, take)) })
}

func TestShuffledRedeliveriesAreAppliedOnceAndInOrder(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		const events, replicas = 30, 4
		last := int64(0)
		var wg sync.WaitGroup
		for replica := range replicas {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(replica)))
				for left := random.Perm(events); len(left) > 0; {
					i := random.IntN(len(left))
					e := event("a", int64(left[i]+1))
					err := k.inbox.Apply(t.Context(), e, func(ctx context.Context, tx *sqldb.Tx, _ bool) error {
						if e.Sequence != last+1 { // guarded by the lock on the key's place
							return fmt.Errorf("%d came after %d", e.Sequence, last)
						}
						if err := insert(int(e.Sequence))(ctx, tx); err != nil {
							return err
						}
						last = e.Sequence
						return nil
					})
					switch fault.KindOf(err) {
					case fault.Early:
					default:
						if err != nil {
							t.Error(err)
						}
						left = append(left[:i], left[i+1:]...)
					}
				}
			})
		}
		wg.Wait()
		require.Equal(t, events, k.applied())
		require.Equal(t, events, count(t, k.db, "SELECT applied FROM inbox WHERE partition_key = 'a'"))
	})
}

func TestFailedEffectDoesNotAdvance(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		err := k.inbox.Apply(t.Context(), event("a", 1), func(context.Context, *sqldb.Tx, bool) error { return envelope.ErrUndecodable })
		require.ErrorIs(t, err, envelope.ErrUndecodable)
		_, err = k.apply(event("a", 1))
		require.NoError(t, err)
		require.Equal(t, 1, k.applied())
	})
}

func TestGapIsGivenUpAndWhatWasLeftOutIsAppliedWhenItComes(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		_, err := k.apply(event("a", 1))
		require.NoError(t, err)
		_, err = k.apply(event("a", 4))
		require.ErrorIs(t, err, sqldb.ErrEarly)
		distance, ok := errors.AsType[interface {
			error
			Ahead() int64
		}](err)
		require.True(t, ok)
		require.EqualValues(t, 2, distance.Ahead())
		k.look(event("a", 4), gap-time.Second)
		_, err = k.apply(event("a", 4))
		require.ErrorIs(t, err, sqldb.ErrEarly, "the gap time counts from the first early sight")
		k.clock.advance(time.Second)
		_, err = k.apply(event("a", 4))
		require.ErrorIs(t, err, sqldb.ErrGap)

		f := k.failure(event("a", 4), 0)
		f.Gap = true
		require.NoError(t, k.giveUp(f))
		require.NoError(t, k.giveUp(f))
		require.Equal(t, 1, k.poisonMessages(), "giving up twice is giving up once")

		late, err := k.apply(event("a", 5))
		require.NoError(t, err)
		require.False(t, late)
		for _, sequence := range []int64{3, 2, 4, 3, 4} {
			late, err = k.apply(event("a", sequence))
			require.NoError(t, err)
		}
		require.False(t, late, "a repeat has no effect")
		require.Equal(t, 5, k.applied())
		require.Equal(t, 5, count(t, k.db, "SELECT applied FROM inbox"))
		require.Zero(t, count(t, k.db, "SELECT COUNT(*) FROM inbox_left_out"))
	})
}

func TestConsumerOfWholeStatesTakesWhatComesAfterAGap(t *testing.T) {
	eachKeeper(t, true, func(t *testing.T, k *keeper) {
		k.look(event("a", 3), gap)
		_, err := k.apply(event("a", 3))
		require.NoError(t, err)
		late, err := k.apply(event("a", 1))
		require.NoError(t, err)
		require.True(t, late)
		require.Equal(t, 2, k.applied())
	})
}

func TestGivenUpEventLetsItsSuccessorsPassAndIsAppliedWhenRequeued(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		require.NoError(t, k.giveUp(k.failure(event("a", 1), 0)))
		_, err := k.apply(event("a", 2))
		require.NoError(t, err)
		require.NoError(t, k.giveUp(k.failure(event("a", 1), 1)), "it fails again in the next round")
		require.Equal(t, 2, k.poisonMessages())
		for range 2 {
			_, err = k.apply(event("a", 1))
			require.NoError(t, err)
		}
		require.Equal(t, 2, k.applied())
		require.NoError(t, k.giveUp(k.failure(event("a", 1), 2)), "what was applied is not given up")
		require.Equal(t, 2, k.poisonMessages())
	})
}

func TestEventIsNotGivenUpBeforeItsTurn(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		require.ErrorIs(t, k.giveUp(k.failure(event("a", 2), 0)), sqldb.ErrEarly)
		require.Zero(t, k.poisonMessages())
		_, err := k.apply(event("a", 1))
		require.NoError(t, err)
		require.NoError(t, k.giveUp(k.failure(event("a", 2), 0)))
		require.Equal(t, 1, k.poisonMessages())
	})
}

func TestEventsWithoutASequenceAreToldApartByTheirID(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		e := event("a", 7)
		e.Sequence = 0
		require.NoError(t, k.giveUp(k.failure(e, 0)))
		for range 2 {
			require.NoError(t, k.inbox.Apply(t.Context(), e, func(ctx context.Context, tx *sqldb.Tx, _ bool) error { return insert(7)(ctx, tx) }))
		}
		require.Equal(t, 1, k.applied())
		require.NoError(t, k.giveUp(k.failure(e, 1)))
		require.Equal(t, 1, k.poisonMessages())
	})
}

func TestConsumerOfATruncatedStreamTakesAKeysFirstEventAsItIs(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		require.NoError(t, k.inbox.Begin(t.Context(), false))
		require.NoError(t, k.inbox.Begin(t.Context(), true), "the first word stands")
		_, err := k.apply(event("a", 41))
		require.NoError(t, err)
		_, err = k.apply(event("a", 43))
		require.ErrorIs(t, err, sqldb.ErrEarly)
		_, err = k.apply(event("a", 42))
		require.NoError(t, err)
	})
}

func TestStepsAdvanceTheInboxWithTheLast(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		step := 0
		run := func(fail int) error {
			return k.inbox.ApplyInSteps(t.Context(), event("a", 1), func(ctx context.Context, tx *sqldb.Tx, _ bool) (bool, error) {
				next := count(t, k.db, "SELECT COUNT(*) FROM things") + 1
				if next == fail {
					return false, envelope.ErrUndecodable
				}
				step = next
				return next == 5, insert(next)(ctx, tx)
			})
		}
		require.Error(t, run(3))
		require.Equal(t, 2, k.applied(), "the steps before the failure stay")
		require.Zero(t, count(t, k.db, "SELECT applied FROM inbox"))
		require.NoError(t, run(0))
		require.Equal(t, 5, step)
		require.NoError(t, run(0))
		require.Equal(t, 5, k.applied())
	})
}

// runOut is a context whose time is up when the test says so.
type runOut struct {
	context.Context

	done chan struct{}
}

func newRunOut(ctx context.Context) runOut { return runOut{ctx, make(chan struct{})} }

func (r runOut) Done() <-chan struct{} { return r.done }

func (r runOut) Err() error {
	select {
	case <-r.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestStepsThatTakeLongerThanAnAttemptGoOnInTheNext(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		run := func(stepsInTime int) error {
			ctx, steps := newRunOut(t.Context()), 0
			return k.inbox.ApplyInSteps(ctx, event("a", 1), func(inner context.Context, tx *sqldb.Tx, _ bool) (bool, error) {
				var next int
				require.NoError(t, tx.QueryRow(inner, "SELECT COUNT(*) + 1 FROM things").Scan(&next))
				if steps++; steps == stepsInTime {
					close(ctx.done)
				}
				return next == 5, insert(next)(inner, tx)
			})
		}
		err := run(2)
		require.ErrorIs(t, err, sqldb.ErrUnfinished)
		require.False(t, fault.Cancelled(err), "taken for an attempt without progress")
		require.Equal(t, 2, k.applied())
		require.NoError(t, run(4))
		require.Equal(t, 5, k.applied())
		require.Equal(t, 1, count(t, k.db, "SELECT applied FROM inbox"))
		_, err = k.apply(event("a", 2))
		require.Error(t, err, "2 stands already")
		over := newRunOut(t.Context())
		close(over.done)
		err = k.inbox.ApplyInSteps(over, event("b", 1), func(context.Context, *sqldb.Tx, bool) (bool, error) { return false, nil })
		require.ErrorIs(t, err, context.DeadlineExceeded, "without progress it is a failure")
	})
}

func TestFailuresAreCountedPerRound(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		first := k.clock.now()
		_, err := k.failures.Failed(t.Context(), k.failure(event("a", 1), 0), 3)
		require.NoError(t, err)
		k.clock.advance(time.Minute)
		c, err := k.failures.Failed(t.Context(), k.failure(event("a", 1), 0), 2)
		require.NoError(t, err)
		require.Equal(t, inbox.Count{Attempts: 5, First: first, Last: k.clock.now()}, c)
		c, err = k.failures.Failed(t.Context(), k.failure(event("a", 1), 1), 1)
		require.NoError(t, err)
		require.Equal(t, inbox.Count{Attempts: 1, First: k.clock.now(), Last: k.clock.now()}, c)
		_, err = k.failures.Failed(t.Context(), k.failure(event("a", 1), 0), 1)
		require.ErrorIs(t, err, inbox.ErrSuperseded, "a round that was requeued is over")
		c, err = k.failures.Failed(t.Context(), k.failure(event("a", 1), 1), 1)
		require.NoError(t, err)
		require.Equal(t, 2, c.Attempts, "and takes nothing from the later one")
	})
}

func TestEventsOfTwoSourcesWithOneIDAreTwo(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		one, other := event("a", 1), event("a", 1)
		other.Source = "/elsewhere"
		for _, e := range []envelope.Envelope{one, other} {
			c, err := k.failures.Failed(t.Context(), k.failure(e, 0), 1)
			require.NoError(t, err)
			require.Equal(t, 1, c.Attempts)
			require.NoError(t, k.failures.GiveUp(t.Context(), k.failure(e, 0), c))
		}
		require.Equal(t, 2, k.poisonMessages())
	})
}

// While the consumer or the broker is away nothing can come: that is no gap.
func TestOutageIsNoGap(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		k.look(event("a", 2), time.Minute)
		k.clock.advance(time.Hour)
		_, err := k.apply(event("a", 2))
		require.ErrorIs(t, err, sqldb.ErrEarly)
		k.look(event("a", 2), gap)
		_, err = k.apply(event("a", 2))
		require.ErrorIs(t, err, sqldb.ErrGap)
	})
}

func TestUndecodableEventBehindAGapIsGivenUpInTheEnd(t *testing.T) {
	eachKeeper(t, true, func(t *testing.T, k *keeper) {
		f := k.failure(event("a", 5), 0)
		for range int(gap / (30 * time.Second)) {
			require.ErrorIs(t, k.giveUp(f), sqldb.ErrEarly)
			k.clock.advance(30 * time.Second)
		}
		require.NoError(t, k.giveUp(f))
		require.Equal(t, 1, k.poisonMessages())
	})
}

func TestWhatATruncatedStreamBringsLateIsApplied(t *testing.T) {
	eachKeeper(t, true, func(t *testing.T, k *keeper) {
		require.NoError(t, k.inbox.Begin(t.Context(), false))
		for _, sequence := range []int64{6, 5, 5} {
			_, err := k.apply(event("a", sequence))
			require.NoError(t, err)
		}
		require.Equal(t, 2, k.applied())
	})
}

func TestKeysLongerThanAColumnAreKeptApart(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		long := strings.Repeat("k", 300)
		_, err := k.apply(event(long+"1", 1))
		require.NoError(t, err)
		require.NoError(t, k.giveUp(k.failure(event(long+"2", 1), 0)))
		_, err = k.apply(event(long+"2", 2))
		require.NoError(t, err)
		require.Equal(t, 2, count(t, k.db, "SELECT COUNT(*) FROM inbox"))
	})
}
