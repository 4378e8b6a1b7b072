package sqldb_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/fault"
)

// behindProxy opens a fresh database through a proxy.
func behindProxy(t *testing.T, cfg sqldb.Config) (*sqldb.DB, *sqldbtest.Proxy) {
	t.Helper()
	direct := sqldbtest.Open(t, sqldbtest.MySQL(t), things)
	require.NoError(t, direct.QueryRow(t.Context(), "SELECT DATABASE()").Scan(&cfg.Name))
	p := sqldbtest.NewProxy(t, sqldbtest.MySQL(t))
	cfg.URL = p.URL
	db, err := sqldb.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), things))
	return db, p
}

// Servers and proxies refuse connections with numbers of their own: it is the place that says what they mean.
func TestErrorsWhileConnectingAreUnavailableWhateverTheirNumber(t *testing.T) {
	t.Parallel()
	for _, number := range []uint16{1226, 4151, 1862, 1820, 1064, 1105, 3159, 9001} {
		t.Run(strconv.Itoa(int(number)), func(t *testing.T) {
			t.Parallel()
			db, p := behindProxy(t, sqldb.Config{})
			p.Follow(sqldbtest.Rules{Greeting: &sqldbtest.Refusal{Number: number, Message: "not now"}})
			p.Cut()
			var n int
			require.Eventually(t, func() bool { return p.Refused() > 0 || db.QueryRow(t.Context(), "SELECT 1").Scan(&n) != nil }, waitFor, tick)
			for name, call := range map[string]func() error{
				"write":     func() error { return db.Atomically(t.Context(), insert(1)) },
				"read row":  func() error { return db.QueryRow(t.Context(), "SELECT 1").Scan(&n) },
				"read rows": func() error { _, err := db.Query(t.Context(), "SELECT 1"); return err },
				"ping":      func() error { return db.Ping(t.Context()) },
			} {
				err := call()
				require.Equal(t, fault.Unavailable, fault.KindOf(err), "%s: %v", name, err)
				require.ErrorContains(t, err, "not now", name)
			}
			p.Follow(sqldbtest.Rules{})
			require.Eventually(t, func() bool { return db.Atomically(t.Context(), insert(1)) == nil }, waitFor, tick)
		})
	}
}

// A proxy accepts connections and answers statements with an error of its own where it has lost the server behind it.
func TestErrorsOfAProxyAreUnavailable(t *testing.T) {
	t.Parallel()
	for _, no := range []sqldbtest.Refusal{
		{Number: 9001, Message: "Max connect timeout reached while reaching hostgroup 0"},
		{Number: 2013, Message: "Lost connection to server during query"},
		{Number: 1042, State: "08S01", Message: "Can't get hostname"},
	} {
		t.Run(strconv.Itoa(int(no.Number)), func(t *testing.T) {
			t.Parallel()
			db, p := behindProxy(t, sqldb.Config{})
			p.Follow(sqldbtest.Rules{Statement: writing(no)})
			p.Cut()
			err := db.Atomically(t.Context(), insert(1))
			require.Contains(t, []fault.Kind{fault.Unavailable}, fault.KindOf(err), err)
		})
	}
}

// writing refuses statements that write to the things.
func writing(no sqldbtest.Refusal) func(string) *sqldbtest.Refusal {
	return func(query string) *sqldbtest.Refusal {
		if strings.Contains(query, "INSERT INTO things") || strings.Contains(query, "write_probe") {
			return &no
		}
		return nil
	}
}

// After a failover the old primary refuses writes on the connections that lead to it, and the new one is behind the same address.
func TestFirstWriteAfterAFailoverIsOnTheNewPrimary(t *testing.T) {
	t.Parallel()
	for _, number := range []uint16{1290, 1792, 1036, 1874, 1836} {
		t.Run(strconv.Itoa(int(number)), func(t *testing.T) {
			t.Parallel()
			db, p := behindProxy(t, sqldb.Config{})
			require.NoError(t, db.Writable(t.Context()))
			p.Follow(sqldbtest.Rules{Statement: writing(sqldbtest.Refusal{Number: number, Message: "read-only"})})
			p.Cut() // what is connected from now on is connected to the old primary
			err := db.Atomically(t.Context(), insert(1))
			require.ErrorIs(t, err, sqldb.ErrReadOnly, "no unknown outcome: the statement was refused")
			require.ErrorIs(t, db.Writable(t.Context()), sqldb.ErrReadOnly, "readiness says so")
			require.NoError(t, db.Ping(t.Context()), "reads go on")

			p.Follow(sqldbtest.Rules{})
			began := time.Now()
			require.NoError(t, db.Atomically(t.Context(), insert(2)))
			require.Less(t, time.Since(began), waitFor)
			require.Equal(t, 1, count(t, db, "SELECT COUNT(*) FROM things"))
			require.Eventually(t, func() bool { return db.Writable(t.Context()) == nil }, waitFor, tick)
		})
	}
}

// Readers hear of a failover from the writers: their own statements go on working on the old primary, and would read old rows.
func TestReadersLeaveTheOldPrimaryToo(t *testing.T) {
	t.Parallel()
	db, p := behindProxy(t, sqldb.Config{})
	p.Follow(sqldbtest.Rules{Statement: func(query string) *sqldbtest.Refusal {
		switch {
		case strings.Contains(query, "SELECT 42"):
			return &sqldbtest.Refusal{Number: 1064, Message: "read on the old primary"}
		case strings.Contains(query, "INSERT INTO things"):
			return &sqldbtest.Refusal{Number: 1290, Message: "read-only"}
		}
		return nil
	}})
	p.Cut()
	require.Eventually(t, func() bool {
		var n int
		err := db.QueryRow(t.Context(), "SELECT 42").Scan(&n)
		return err != nil && strings.Contains(err.Error(), "old primary")
	}, waitFor, tick)
	writerOnOld := func() error {
		return db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			var n int
			return tx.QueryRow(ctx, "SELECT COUNT(*) FROM things").Scan(&n)
		})
	}
	require.NoError(t, writerOnOld())
	p.Follow(sqldbtest.Rules{})
	require.NoError(t, db.Atomically(t.Context(), insert(1)))
	require.Equal(t, 42, count(t, db, "SELECT 42"))
}

// What is stored with the COMMIT in one packet, and a COMMIT alone, are refused as well: neither is an unknown outcome.
func TestRefusedWriteIsNoUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(context.Context, *sqldb.Tx) error{
		"rows with the COMMIT behind them": newWard().leave(1, 0),
		"the COMMIT":                       insert(1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, p := behindProxy(t, sqldb.Config{})
			p.Follow(sqldbtest.Rules{Statement: func(query string) *sqldbtest.Refusal {
				if strings.HasSuffix(query, "COMMIT") {
					return &sqldbtest.Refusal{Number: 1290, Message: "read-only"}
				}
				return nil
			}})
			p.Cut()
			require.ErrorIs(t, db.Atomically(t.Context(), change), sqldb.ErrReadOnly)
		})
	}
}
