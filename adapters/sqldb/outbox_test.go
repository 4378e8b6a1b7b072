package sqldb_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/correlation"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/outbox"
)

func (k *keeper) publish(ctx context.Context, sequence int64) error {
	return k.db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return k.outbox.Publish(ctx, tx, sequence, contract.OrderPlaced{Order: contract.Order{ID: "o-1", Currency: "EUR", Total: 5}})
	})
}

func (k *keeper) pending() []outbox.Pending {
	rows, _, err := k.outbox.Pending(k.t.Context(), envelope.Prefixes(), 0, 1000)
	require.NoError(k.t, err)
	return rows
}

// purge deletes what was acknowledged longer than age ago, as the relay does.
func (k *keeper) purge(age time.Duration, limit int) (int64, error) {
	rows, err := k.outbox.Purgeable(context.Background(), age, limit)
	if err != nil {
		return 0, err
	}
	return k.outbox.Purge(context.Background(), rows)
}

func (k *keeper) lease() int64 {
	epoch, held, err := k.outbox.Acquire(k.t.Context(), "test", time.Minute)
	require.NoError(k.t, err)
	require.True(k.t, held)
	return epoch
}

func TestEventIsStoredByteForByteWithItsEnvelope(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		ctx := correlation.With(t.Context(), correlation.IDs{Correlation: "c-1", Causation: "e-0"})
		require.NoError(t, k.publish(ctx, 3))
		rows := k.pending()
		require.Len(t, rows, 1)
		want, err := json.Marshal(contract.OrderPlaced{Order: contract.Order{ID: "o-1", Currency: "EUR", Total: 5}})
		require.NoError(t, err)
		require.Equal(t, want, rows[0].Payload)
		require.Equal(t, "events.order.placed.v1", rows[0].Topic)
		metadata, err := rows[0].Metadata()
		require.NoError(t, err)
		e := envelope.Parse(rows[0].MessageID, metadata, rows[0].Payload)
		require.Equal(t, envelope.Envelope{
			ID: rows[0].MessageID, Type: contract.TypeOrderPlaced, Source: contract.SourceOrder, Key: "o-1", Sequence: 3, Time: k.clock.now(),
			CorrelationID: "c-1", CausationID: "e-0", Data: want,
		}, e)
		require.Equal(t, rows[0].MessageID, metadata[envelope.MetaID])
	})
}

func TestCommitWakesTheRelayAndARollbackDoesNot(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		err := k.db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			require.NoError(t, k.outbox.Publish(ctx, tx, 1, contract.OrderDeleted{}))
			return envelope.ErrUndecodable
		})
		require.Error(t, err)
		require.Empty(t, k.pending())
		select {
		case <-k.outbox.Wake():
			t.Fatal("woken by a rollback")
		default:
		}
		require.NoError(t, k.publish(t.Context(), 1))
		select {
		case <-k.outbox.Wake():
		case <-time.After(waitFor):
			t.Fatal("not woken by a commit")
		}
	})
}

func TestEventThatNoBrokerTakesIsRefused(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		err := k.db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return k.outbox.Publish(ctx, tx, 1, contract.OrderCancelled{Reason: strings.Repeat("x", envelope.MaxBytes)})
		})
		require.ErrorIs(t, err, envelope.ErrTooLarge)
		require.Empty(t, k.pending())
	})
}

func TestMarkedAreExactlyTheRowsNamed(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		const n = 450
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if err := k.publish(context.Background(), int64(i+1)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		rows := k.pending()
		require.Len(t, rows, n)
		epoch := k.lease()
		var marks []outbox.Published
		for i, row := range rows {
			if i%3 != 0 {
				marks = append(marks, outbox.Published{ID: row.ID, MessageID: row.MessageID, Topic: row.Topic, StreamSequence: uint64(1000 + i)})
			}
		}
		require.NoError(t, k.outbox.Mark(t.Context(), epoch, marks))
		left := k.pending()
		require.Len(t, left, n/3)
		for i, row := range left {
			require.Equal(t, rows[i*3].ID, row.ID)
		}
		backlog, err := k.outbox.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, outbox.Backlog{Rows: n / 3, Oldest: k.clock.now()}, backlog)

		tail, err := k.outbox.Tail(t.Context(), "events", 1<<63, 10)
		require.NoError(t, err)
		require.Len(t, tail, 10)
		require.Equal(t, marks[len(marks)-1], tail[0])
		require.Equal(t, marks[len(marks)-10], tail[9])
		tail, err = k.outbox.Tail(t.Context(), "poison", 1<<63, 10)
		require.NoError(t, err)
		require.Empty(t, tail)

		require.NoError(t, k.outbox.Unmark(t.Context(), epoch, marks[:2]))
		require.Len(t, k.pending(), n/3+2)

		deleted, err := k.purge(time.Hour, 100)
		require.NoError(t, err)
		require.Zero(t, deleted, "nothing is an hour old")
		k.clock.advance(time.Hour + time.Second)
		deleted, err = k.purge(time.Hour, 100)
		require.NoError(t, err)
		require.EqualValues(t, 100, deleted)
		require.Len(t, k.pending(), n/3+2, "what waits is never purged")
	})
}

func TestLeaseHasOneHolderAndAMarkNeedsItsEpoch(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		require.NoError(t, k.publish(t.Context(), 1))
		row := k.pending()[0]
		marks := []outbox.Published{{ID: row.ID, MessageID: row.MessageID, Topic: row.Topic, StreamSequence: 9}}

		first, held, err := k.outbox.Acquire(t.Context(), "first", 300*time.Millisecond)
		require.NoError(t, err)
		require.True(t, held)
		_, held, err = k.outbox.Acquire(t.Context(), "second", time.Minute)
		require.NoError(t, err)
		require.False(t, held, "taken while another holds it")
		require.NoError(t, k.outbox.Renew(t.Context(), first, 300*time.Millisecond))

		var second int64
		require.Eventually(t, func() bool {
			second, held, err = k.outbox.Acquire(t.Context(), "second", time.Minute)
			return err == nil && held
		}, waitFor, tick)
		require.Greater(t, second, first)
		require.ErrorIs(t, k.outbox.Renew(t.Context(), first, time.Minute), outbox.ErrLeaseLost)
		require.ErrorIs(t, k.outbox.Mark(t.Context(), first, marks), outbox.ErrLeaseLost)
		require.ErrorIs(t, k.outbox.Unmark(t.Context(), first, marks), outbox.ErrLeaseLost)
		require.Len(t, k.pending(), 1)

		require.NoError(t, k.outbox.Release(t.Context(), first), "the old holder's release changes nothing")
		_, held, err = k.outbox.Acquire(t.Context(), "third", time.Minute)
		require.NoError(t, err)
		require.False(t, held)
		require.NoError(t, k.outbox.Mark(t.Context(), second, marks))
		require.NoError(t, k.outbox.Release(t.Context(), second))
		_, held, err = k.outbox.Acquire(t.Context(), "third", time.Minute)
		require.NoError(t, err)
		require.True(t, held, "free at once after a release")
	})
}

// A crash and a clock that is set back, or a standby whose clock is behind: the lease would stand until the clock is there again.
func TestLeaseDoesNotOutlastAClockThatWentBack(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		const ttl = 300 * time.Millisecond
		_, held, err := k.outbox.Acquire(t.Context(), "first", ttl)
		require.NoError(t, err)
		require.True(t, held)
		require.NoError(t, k.db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE lease SET expires_at = expires_at + ?", time.Hour.Microseconds())
			return err
		}))
		began := time.Now()
		_, held, err = k.outbox.Acquire(t.Context(), "second", ttl)
		require.NoError(t, err)
		require.False(t, held, "the holder may still be there, and has until the end of its time")
		require.Eventually(t, func() bool {
			_, held, err = k.outbox.Acquire(t.Context(), "second", ttl)
			return err == nil && held
		}, waitFor, tick)
		require.GreaterOrEqual(t, time.Since(began), ttl-50*time.Millisecond)
	})
}

func TestPoisonMessageCarriesEverything(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		e := event("a", 1)
		f := k.failure(e, 2)
		f.Stack, f.Reason = "goroutine 1\n\tmain.go:1", "first line\nsecond line"
		delete(f.Metadata, envelope.MetaID)
		f.Metadata["custom"] = "kept"
		require.NoError(t, k.giveUp(f))
		row := k.pending()[0]
		id := sqldb.PoisonID(consumer, e, 2)
		require.Equal(t, "poison."+consumer, row.Topic)
		require.Equal(t, id.String(), row.MessageID)
		require.Equal(t, []byte(`{}`), row.Payload)
		m, err := row.Metadata()
		require.NoError(t, err)
		require.Equal(t, id.String(), m[envelope.MetaPoisonID])
		require.Equal(t, id.String(), m[envelope.MetaDeduplicationID])
		require.Equal(t, e.ID, m[envelope.MetaID], "an ID made from the message's place goes with it")
		require.Equal(t, "first line second line", m[envelope.MetaPoisonReason])
		require.Equal(t, `"goroutine 1\n\tmain.go:1"`, m[envelope.MetaPoisonStack])
		require.Equal(t, "1", m[envelope.MetaPoisonAttempts])
		require.Equal(t, "events.user.updated.v1", m[envelope.MetaPoisonSubject])
		require.Equal(t, consumer, m[envelope.MetaPoisonConsumer])
		require.Equal(t, "kept", m["custom"])
		require.NotEqual(t, uuid.Nil, id)
	})
}

func TestPoisonMessageIsOneThatEveryBrokerTakes(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		e := event("a", 1)
		f := k.failure(e, 0)
		f.Metadata["zero"], f.Metadata["blank"], f.Metadata["odd key"] = "a\x00b", " a", "kept"
		f.Metadata["millrace-bytes"], f.Metadata["a/b"] = "\xff", "kept"
		f.Event.Data = make([]byte, 1<<20)
		require.NoError(t, k.giveUp(f))
		row := k.pending()[0]
		m, err := row.Metadata()
		require.NoError(t, err)
		require.Equal(t, `"a\x00b"`, m["zero"])
		require.Equal(t, `" a"`, m["blank"])
		require.Equal(t, "kept", m["odd+key"])
		require.Equal(t, `"\xff"`, m["millrace-bytes"])
		require.Equal(t, "kept", m["a%2Fb"])
		require.Equal(t, "payload", m[envelope.MetaPoisonOmitted])
		require.Empty(t, row.Payload, "what no broker could take stays in its stream")
	})
}

// Bytes that are no text weigh five times as much once they are quoted, and JetStream refuses headers of more than 64 KiB: what nobody
// takes, nobody would see.
func TestPoisonMessageKeepsAsMuchMetadataAsABrokerTakes(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		f := k.failure(event("a", 1), 0)
		f.Metadata["millrace-bytes"] = strings.Repeat("\xff", 40<<10)
		f.Metadata["text"], f.Metadata["small"] = strings.Repeat("a", 50<<10), "kept"
		require.NoError(t, k.giveUp(f))
		m, err := k.pending()[0].Metadata()
		require.NoError(t, err)
		size := 0
		for key, value := range m {
			size += len(key) + len(value) + len(": \r\n")
		}
		require.LessOrEqual(t, size, 62<<10)
		require.NotContains(t, m, "millrace-bytes", "no prefix makes it ours")
		require.Len(t, m["text"], 50<<10)
		require.Equal(t, "kept", m["small"])
		require.Equal(t, "metadata", m[envelope.MetaPoisonOmitted])
		require.Equal(t, f.Event.ID, m[envelope.MetaID])
		require.Equal(t, k.pending()[0].Payload, []byte(f.Event.Data))
	})
}

func TestPageOfTheOutboxIsBoundedInBytes(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		const n = 40
		length := outbox.PageBytes / 32 // 512 KiB, less what comes with it
		for i := range n {
			require.NoError(t, k.db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				return k.outbox.Add(ctx, tx, sqldb.Entry{MessageID: uuid.New(), Topic: "poison.x", Key: strconv.Itoa(i), Payload: make([]byte, length)})
			}))
		}
		first := k.pending()
		require.Less(t, len(first), n)
		rest, more, err := k.outbox.Pending(t.Context(), envelope.Prefixes(), first[len(first)-1].ID, 1000)
		require.NoError(t, err)
		require.False(t, more)
		require.Len(t, rest, n-len(first))
	})
}
