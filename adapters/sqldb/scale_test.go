package sqldb_test

import (
	"context"
	"flag"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/outbox"
	"github.com/millrace/millrace/router/relay"
)

// scale is enough for plans with real statistics. `make large-tables` has five million.
var scale = flag.Int("scale", 200_000, "rows in the outbox of the tests of large tables")

// What runs by itself must cost no more in a database that is large: it would be slowest when there is most to do.
func TestLargeTables(t *testing.T) {
	eachKeeper(t, false, func(t *testing.T, k *keeper) {
		k.fill(*scale)
		if k.db.Dialect() == sqldb.MySQL {
			t.Run("statements read rows in proportion to their result", k.checkPlans)
			_, err := k.db.Query(t.Context(), "ANALYZE TABLE outbox, inbox, inbox_seen, failures, idempotency, limit_buckets, access_changes")
			require.NoError(t, err)
			t.Run("and with fresh statistics", k.checkPlans)
		} else {
			t.Run("statements read rows in proportion to their result", k.checkPlans)
		}
		t.Run("a relay publishes at once", k.checkRelay)
	})
}

// fill makes an outbox of n acknowledged rows, and the other tables a tenth as long.
func (k *keeper) fill(n int) {
	at := sqldb.Micros(k.clock.now())
	sqldbtest.FillOutbox(k.t, k.db, n, at, []byte("{}"))
	id := func(width string) string {
		if k.db.Dialect() == sqldb.MySQL {
			return "LPAD(id, " + width + ", '0')"
		}
		return "CAST(printf('%0" + width + "d', id) AS BLOB)"
	}
	for into, values := range map[string]string{
		"inbox (consumer, source, partition_key, sequence, applied, updated_at)": "'" + consumer + "', '/millrace/user', " + id("16") +
			", 1, 1, ?",
		"inbox_seen (consumer, source, event_id, seen_at)": "'" + consumer + "', '/elsewhere', " + id("16") + ", ?",
		"inbox_left_out (consumer, source, partition_key, first_sequence, last_sequence)": "'" + consumer +
			"', '/millrace/user', 'gaps', 10 * id, 10 * id + 0 * ?",
		"failures (consumer, event_id, round, attempts, first_failed_at, last_failed_at)": "'" + consumer + "', " + id("16") + ", 0, 1, 0, ?",
		"idempotency (id, fingerprint, owner, status, location, etag, body, created_at)": id("32") + ", " + id("32") + ", " + id("16") +
			", 201, '', '', '', ?",
		"limit_buckets (bucket, full_at)":                                        id("16") + ", ?",
		"access_changes (user_id, version, role, deleted, changed_at, noted_at)": id("16") + ", 1, 'admin', 0, 0, 1 + 0 * ?",
	} {
		const step = 1 << 13
		for from := 0; from < n/10; from += step {
			require.NoError(k.t, k.db.Atomically(k.t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, "INSERT INTO "+into+" SELECT "+values+" FROM outbox WHERE id > ? AND id <= ?", at, from, min(from+step, n/10))
				return err
			}))
		}
	}
}

// instantBroker acknowledges everything at once, and has everything that was ever acknowledged.
type instantBroker struct {
	away atomic.Bool
	seen atomic.Bool // that it is away
	last atomic.Uint64

	mu  sync.Mutex
	ids []string
}

func (b *instantBroker) PublishAsync(_ string, msg *message.Message, done func(uint64, error)) {
	b.mu.Lock()
	b.ids = append(b.ids, msg.UUID)
	b.mu.Unlock()
	go done(b.last.Add(1), nil)
}

func (b *instantBroker) Holds(context.Context, string, uint64, string) (bool, error) {
	return true, nil
}

func (b *instantBroker) Connected() bool {
	away := b.away.Load()
	if away {
		b.seen.Store(true)
	}
	return !away
}

func (b *instantBroker) published() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ids)
}

func (k *keeper) checkRelay(t *testing.T) {
	b := &instantBroker{}
	b.last.Store(uint64(*scale))
	begin := func(holder string) (stop func()) {
		relay, err := relay.New(relay.Config{Service: "order", Outbox: k.outbox, Broker: b, Holder: holder})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = relay.Run(ctx) }) // always nil
		return func() {
			cancel()
			running.Wait()
		}
	}
	publishes := func(when string) {
		before := b.published()
		require.NoError(t, k.publish(t.Context(), 1))
		require.Eventually(t, func() bool { return b.published() > before }, waitFor, tick, when)
	}
	stop := begin("first")
	publishes("after a start")
	b.away.Store(true)
	require.Eventually(t, b.seen.Load, waitFor, tick)
	b.away.Store(false)
	publishes("after a reconnection")
	stop()
	defer begin("second")()
	publishes("after a take-over")
}

// sent are the statements of an operation, without those that only begin and end a transaction.
func sent(recording *sqldb.Recording) (all []sqldb.Statement) {
	for _, s := range recording.Taken() {
		for part := range strings.SplitSeq(s.Query, "; ") {
			n := strings.Count(part, "?")
			one := sqldb.Statement{Query: part, Args: s.Args[:n]}
			s.Args = s.Args[n:]
			if verb, _, _ := strings.Cut(part, " "); verb == "SELECT" || verb == "UPDATE" || verb == "DELETE" {
				all = append(all, one)
			}
		}
	}
	return all
}

func (k *keeper) marks(rows []outbox.Pending, from uint64) (marks []outbox.Published) {
	for i, row := range rows {
		marks = append(marks, outbox.Published{ID: row.ID, MessageID: row.MessageID, Topic: row.Topic, StreamSequence: from + uint64(i)})
	}
	return marks
}
