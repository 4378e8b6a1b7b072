package sqldb_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/envelope"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/inbox"
)

// smallPacket makes every connection believe that the server takes no more than 64 KiB at once.
func smallPacket(t *testing.T) *sqldb.DB {
	t.Helper()
	db, p := behindProxy(t, sqldb.Config{})
	p.Follow(sqldbtest.Rules{Rewrite: map[string]string{"SELECT @@max_allowed_packet": "SELECT 65536"}})
	p.Cut()
	require.Eventually(t, func() bool { return db.Ping(t.Context()) == nil }, waitFor, tick)
	return db
}

func insertBody(id int, body []byte) func(context.Context, *sqldb.Tx) error {
	return func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO things (id, n, body) VALUES (?, 0, ?)", id, body)
		return err
	}
}

// A value that no packet takes is refused for good: to try again, or to pause for it, would never end.
func TestValueLargerThanTheServersPacketIsRefused(t *testing.T) {
	t.Parallel()
	db := smallPacket(t)
	err := db.Atomically(t.Context(), insertBody(1, make([]byte, 100_000)))
	require.Equal(t, fault.TooLarge, fault.KindOf(err), err)
	require.ErrorContains(t, err, "100000 bytes", "its size is told")
	require.ErrorContains(t, err, "65536", "and the limit")
}

// What fits is stored, however long it becomes as text and whoever shares its transaction.
func TestValuesThatFitThePacketAreStored(t *testing.T) {
	t.Parallel()
	db := smallPacket(t)
	var wg sync.WaitGroup
	quotes := bytes.Repeat([]byte(`"`), 50_000)
	for id := range 20 {
		wg.Go(func() {
			if err := db.Atomically(t.Context(), insertBody(id, quotes)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 20, count(t, db, "SELECT COUNT(*) FROM things WHERE LENGTH(body) = 50000"))
	k := newKeeper(t, db, false)
	require.NoError(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		for range 5 {
			if err := k.outbox.Add(ctx, tx, sqldb.Entry{MessageID: uuid.New(), Topic: "events.a", Key: "k", Payload: quotes}); err != nil {
				return err
			}
		}
		return nil
	}))
	require.Equal(t, 5, count(t, db, "SELECT COUNT(*) FROM outbox"))
}

// The event is in its stream; that it was given up is told without its data.
func TestEventLargerThanThePacketIsGivenUpWithoutItsData(t *testing.T) {
	t.Parallel()
	db := smallPacket(t)
	k := newKeeper(t, db, false)
	failures := sqldb.NewFailures(db, k.outbox, time.Minute, time.Now)
	failure := inbox.Failure{
		Consumer: consumer, Subject: "events.a.b.v1", Reason: "a value of 100000 bytes is larger than the server takes",
		Event: envelope.Envelope{ID: uuid.NewString(), Type: "a.b.v1", Source: "/elsewhere", Data: make([]byte, 100_000)},
	}
	sum, err := failures.Failed(t.Context(), failure, 1)
	require.NoError(t, err)
	require.NoError(t, failures.GiveUp(t.Context(), failure, sum))
	var metadata, payload []byte
	require.NoError(t, db.QueryRow(t.Context(), "SELECT metadata, payload FROM outbox").Scan(&metadata, &payload))
	require.Empty(t, payload)
	require.Contains(t, string(metadata), `"`+envelope.MetaPoisonOmitted+`":"payload"`)
	require.Contains(t, string(metadata), "100000 bytes")
}

// Millrace cannot work with a binary log of statements, and says so before the first write fails.
func TestServerSettingsAreNamedAtTheStart(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, settings string) (*sqldb.DB, *bytes.Buffer, error) {
		t.Helper()
		direct := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
		var cfg sqldb.Config
		require.NoError(t, direct.QueryRow(t.Context(), "SELECT DATABASE()").Scan(&cfg.Name))
		p := sqldbtest.NewProxy(t, sqldbtest.MySQL(t))
		p.Follow(sqldbtest.Rules{Rewrite: map[string]string{
			"SELECT @@log_bin, @@GLOBAL.sql_mode, @@max_allowed_packet, @@version": settings, "SELECT @@binlog_format": "SELECT 'STATEMENT'",
		}})
		var log bytes.Buffer
		cfg.URL, cfg.Logger = p.URL, slog.New(slog.NewTextHandler(&log, nil))
		db, err := sqldb.Open(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db, &log, db.Migrate(t.Context(), things)
	}
	t.Run("a binary log of statements is refused", func(t *testing.T) {
		t.Parallel()
		_, _, err := open(t, "SELECT 1, '', 67108864, 'x'")
		require.ErrorContains(t, err, "binlog_format=STATEMENT")
		require.Contains(t, sqldb.Advice(err), "binlog_format=ROW")
	})
	t.Run("a sql_mode that changes strings and a small packet are told", func(t *testing.T) {
		t.Parallel()
		db, log, err := open(t, "SELECT 0, 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH', 1048576, 'x'")
		require.NoError(t, err)
		require.Contains(t, log.String(), "NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH")
		require.Contains(t, log.String(), "max_allowed_packet=1048576")
		var mode string
		require.NoError(t, db.QueryRow(t.Context(), "SELECT @@SESSION.sql_mode").Scan(&mode))
		require.Equal(t, "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", mode, "sessions have their own")
	})
	t.Run("a usual server is not spoken of", func(t *testing.T) {
		t.Parallel()
		_, log, err := open(t, "SELECT 0, 'STRICT_TRANS_TABLES', 16777216, 'x'")
		require.NoError(t, err)
		require.NotContains(t, log.String(), "sql_mode")
		require.NotContains(t, log.String(), "max_allowed_packet")
	})
	t.Run("the refusal of a change under a log of statements has the same advice", func(t *testing.T) {
		t.Parallel()
		db, p := behindProxy(t, sqldb.Config{})
		p.Follow(sqldbtest.Rules{Statement: writing(sqldbtest.Refusal{Number: 1665, Message: "BINLOG_FORMAT = STATEMENT"})})
		p.Cut()
		err := db.Atomically(t.Context(), insert(1))
		require.ErrorIs(t, err, sqldb.ErrReadOnly)
		require.True(t, strings.Contains(sqldb.Advice(err), "binlog_format=ROW") && errors.Is(err, sqldb.ErrReadOnly))
	})
}
