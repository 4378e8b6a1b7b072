package sqldb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/contract"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/idempotency"
	"github.com/millrace/millrace/app/inbox"
	"github.com/millrace/millrace/app/limit"
	"github.com/millrace/millrace/app/outbox"
)

// operation is something that a service does by itself, or for each message or request, and how many rows its statements may read.
type operation struct {
	name string
	do   func(ctx context.Context) error
	rows int
}

// operations are done one after the other on large tables.
func (k *keeper) operations(t *testing.T) []operation {
	var (
		epoch   int64
		pending []outbox.Pending
		over    []outbox.Published
	)
	marked := func() []outbox.Published { return k.marks(pending, uint64(*scale)+1) }
	in := func(fn func(ctx context.Context, tx *sqldb.Tx) error) func(context.Context) error {
		return func(ctx context.Context) error { return k.db.Atomically(ctx, fn) }
	}
	effect := func(context.Context, *sqldb.Tx, bool) error { return nil }
	apply := func(e envelope.Envelope) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := k.inbox.Apply(ctx, e, effect); !errors.Is(err, sqldb.ErrEarly) {
				return err
			}
			return nil
		}
	}
	leftOut := event("gaps", 10*int64(*scale)/20)
	unnumbered := event(uuid.NewString(), 0)
	failure := k.failure(event(uuid.NewString(), 1), 0)
	answer := &idempotency.Record{At: k.clock.now(), Owner: uuid.New(), Answer: idempotency.Answer{Body: []byte("{}")}}
	copy(answer.Key.ID[:], uuid.NewString())
	limits := sqldb.NewLimits(k.db, []byte("key"), k.clock.now)
	bucket, rule := uuid.NewString(), limit.Rule{Burst: 10, Per: time.Minute}
	access := sqldb.NewAccess(k.db, time.Hour)
	purge := sqldb.NewPurge(k.db, k.clock.now)
	return []operation{
		{"take the lease", func(ctx context.Context) (err error) {
			epoch, _, err = k.outbox.Acquire(ctx, "plans", time.Minute)
			return err
		}, 4},
		{"ask for a lease that another has", func(ctx context.Context) error {
			_, _, err := k.outbox.Acquire(ctx, "another", time.Minute)
			return err
		}, 4},
		{"renew the lease", func(ctx context.Context) error { return k.outbox.Renew(ctx, epoch, time.Minute) }, 2},
		{"publish", func(ctx context.Context) error {
			return errors.Join(k.publish(ctx, 1), k.publish(ctx, 2), k.publish(ctx, 3))
		}, 0},
		{"read what waits", func(ctx context.Context) (err error) {
			pending, _, err = k.outbox.Pending(ctx, envelope.Prefixes(), 0, 500)
			require.GreaterOrEqual(t, len(pending), 3)
			return err
		}, 10},
		{"count what waits", func(ctx context.Context) error {
			_, err := k.outbox.Backlog(ctx)
			return err
		}, 20},
		{"mark", func(ctx context.Context) error { return k.outbox.Mark(ctx, epoch, marked()) }, 10},
		{"make pending again", func(ctx context.Context) error { return k.outbox.Unmark(ctx, epoch, marked()[:1]) }, 10},
		{"read the tail of events", k.tail("events"), 110},
		{"read the tail of a stream without rows", k.tail("poison"), 2},
		{"look for what to purge, while nothing is over", func(ctx context.Context) error {
			rows, err := k.outbox.Purgeable(ctx, time.Hour, 500)
			require.Empty(t, rows)
			return err
		}, 610},
		{"look for what to purge", func(ctx context.Context) (err error) {
			k.clock.advance(2 * time.Hour)
			over, err = k.outbox.Purgeable(ctx, time.Hour, 500)
			k.clock.advance(-2 * time.Hour)
			require.Len(t, over, 500)
			return err
		}, 610},
		{"purge", func(ctx context.Context) error {
			_, err := k.outbox.Purge(ctx, over[:100])
			return err
		}, 110},
		{"release the lease", func(ctx context.Context) error { return k.outbox.Release(ctx, epoch) }, 2},
		{"apply the first event of a key", apply(event(uuid.NewString(), 1)), 20},
		{"apply a repeat", apply(event("gaps", 1)), 20},
		{"put an early event back", apply(event(uuid.NewString(), 5)), 20},
		{"look for an event among many that were left out", in(func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE inbox SET sequence = ? WHERE consumer = ? AND source = ? AND partition_key = 'gaps'",
				leftOut.Sequence+1, consumer, contract.SourceUser)
			return err
		}), 20},
		{"apply an event that was left out", apply(leftOut), 20},
		{"apply an event without a sequence", apply(unnumbered), 20},
		{"pass over an event without a sequence", apply(unnumbered), 20},
		{"count a failure", func(ctx context.Context) error {
			_, err := k.failures.Failed(ctx, failure, 1)
			return err
		}, 20},
		{"give an event up", func(ctx context.Context) error { return k.failures.GiveUp(ctx, failure, inbox.Count{Attempts: 1}) }, 20},
		{"keep an answer", in(func(ctx context.Context, tx *sqldb.Tx) error { return tx.Remember(ctx, answer) }), 4},
		{"give an answer again", func(ctx context.Context) error {
			err := k.db.Atomically(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return tx.Remember(ctx, answer) })
			if _, ok := errors.AsType[*idempotency.Replay](err); ok {
				return nil
			}
			return err
		}, 4},
		{"forget a user's answers", in(func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.ForgetAnswers(ctx, answer.Owner, 500)
			return err
		}), 4},
		{"take from a limit", func(ctx context.Context) error {
			_, err := limits.Take(ctx, bucket, rule, 1)
			return err
		}, 10},
		{"give back to a limit", func(ctx context.Context) error { return limits.Give(ctx, bucket, rule, 1) }, 10},
		{"note a change of access", in(func(ctx context.Context, tx *sqldb.Tx) error {
			return sqldb.NoteAccess(ctx, tx, contract.User{ID: uuid.NewString(), Version: 1, Role: "admin"}, false)
		}), 10},
		{"read all changes of access that matter", access.Load, 20},
		{"read new changes of access", access.Poll, 20},
		{"purge changes of access", func(ctx context.Context) error {
			_, err := access.Purge(ctx, 100)
			return err
		}, 220},
		{"look for expired rows, while there are none", func(ctx context.Context) error {
			_, err := purge.Step(ctx, 100)
			return err
		}, 20},
		{"purge expired rows", func(ctx context.Context) error {
			const long = 400 * 24 * time.Hour
			k.clock.advance(long)
			_, err := purge.Step(ctx, 100)
			k.clock.advance(-long)
			return err
		}, 4 * 220},
		{"ping", k.db.Ping, 0},
		{"look whether writes find room", k.db.Writable, 0},
	}
}

func (k *keeper) tail(stream string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := k.outbox.Tail(ctx, stream, 1<<63, 100)
		return err
	}
}

// checkPlans does each operation and has the database explain the statements that were sent.
func (k *keeper) checkPlans(t *testing.T) {
	for _, op := range k.operations(t) {
		recording, end := sqldb.Record(k.db)
		err := op.do(t.Context())
		require.NoError(t, end())
		require.NoError(t, err, op.name)
		read := 0
		for _, s := range sent(recording) {
			if k.db.Dialect() == sqldb.MySQL {
				read += sqldbtest.RowsRead(t, k.db, s.Query, s.Args...)
				continue
			}
			for _, search := range sqldbtest.Searches(t, k.db, s.Query, s.Args...) {
				require.Contains(t, sqliteSearches, search, "%s: %s", op.name, s.Query)
			}
		}
		require.LessOrEqual(t, read, op.rows, op.name)
	}
}

// sqliteSearches are the ways in which SQLite may look for rows. Each names all columns of an index that the statement gives values for:
// one of them alone may find most of a table.
var sqliteSearches = []string{
	"SEARCH lease USING PRIMARY KEY (name=?)",
	"SEARCH outbox USING INTEGER PRIMARY KEY (rowid=?)",
	"SEARCH outbox USING COVERING INDEX sqlite_autoindex_outbox_1 (message_id=?)",
	"SEARCH outbox USING INDEX outbox_stream (stream=? AND stream_sequence=?)",
	"SEARCH outbox USING INDEX outbox_stream (stream=? AND stream_sequence=? AND rowid>?)",
	"SEARCH outbox USING INDEX outbox_stream (stream=? AND stream_sequence<?)",
	"SEARCH outbox USING INDEX outbox_stream (stream=? AND stream_sequence>?)",
	"SEARCH inbox USING PRIMARY KEY (consumer=? AND source=? AND partition_key=?)",
	"SEARCH inbox_origin USING PRIMARY KEY (consumer=?)",
	"SEARCH inbox_left_out USING PRIMARY KEY (consumer=? AND source=? AND partition_key=? AND first_sequence<?)",
	"SEARCH inbox_left_out USING PRIMARY KEY (consumer=? AND source=? AND partition_key=? AND first_sequence=?)",
	"SEARCH inbox_seen USING PRIMARY KEY (consumer=? AND source=? AND event_id=?)",
	"SEARCH inbox_seen USING COVERING INDEX inbox_seen_at (seen_at<?)",
	"SEARCH failures USING PRIMARY KEY (consumer=? AND event_id=?)",
	"SEARCH failures USING COVERING INDEX failures_last (last_failed_at<?)",
	"SEARCH idempotency USING INDEX sqlite_autoindex_idempotency_1 (id=?)",
	"SEARCH idempotency USING INDEX idempotency_created (created_at<?)",
	"SEARCH idempotency USING INDEX idempotency_owner (owner=?)",
	"SEARCH limit_buckets USING PRIMARY KEY (bucket=?)",
	"SEARCH limit_buckets USING COVERING INDEX limit_buckets_full (full_at<?)",
	"SEARCH access_changes USING PRIMARY KEY (user_id=?)",
	"SEARCH access_changes USING INDEX access_changes_noted (noted_at>?)",
	"SEARCH access_changes USING COVERING INDEX access_changes_noted (noted_at<?)",
	"CO-ROUTINE step", // the rows that a count reads, of which there is a limit
	"SCAN step",
}
