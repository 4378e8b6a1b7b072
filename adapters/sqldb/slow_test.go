package sqldb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/app/fault"
)

// endless counts for ever; only its first row is 1.
const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n "

// The driver looks at a context until the first row is there, which is no limit for a scan that finds one row and seeks the next.
func TestQueryOnSQLiteEndsWithItsTimeLimit(t *testing.T) {
	t.Parallel()
	db := sqldbtest.OpenConfig(t, sqldb.Config{URL: "sqlite:", QueryFor: time.Second}, things)
	for name, read := range map[string]func(context.Context) error{
		"before the first row": func(ctx context.Context) error {
			_, err := db.Query(ctx, endless+"WHERE i < 0")
			return err
		},
		"behind the first row": func(ctx context.Context) error {
			rows, err := db.Query(ctx, endless+"WHERE i < 2")
			if err != nil {
				return err
			}
			_, err = sqldb.Collect(rows, func(r sqldb.Scanner) (n int, err error) { return n, r.Scan(&n) })
			return err
		},
		"the one row": func(ctx context.Context) error {
			var n int
			return db.QueryRow(ctx, "SELECT COUNT(*) FROM ("+endless+")").Scan(&n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tooSlow(t, read(t.Context()))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, read(ctx), context.DeadlineExceeded, "the caller's own limit is no fault of the query")
			require.Zero(t, count(t, db, "SELECT COUNT(*) FROM things"), "the connections are of use afterwards")
		})
	}
}

// A statement over the server's time limit is no outage: the consumers would pause for it, and clients come back at once.
func TestQueryOverTheServersTimeLimitIsTooSlow(t *testing.T) {
	t.Parallel()
	for name, number := range map[string]uint16{"MariaDB": 1969, "MySQL": 3024} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, p := behindProxy(t, sqldb.Config{})
			p.Follow(sqldbtest.Rules{Statement: func(query string) *sqldbtest.Refusal {
				if strings.Contains(query, "SELECT 42") {
					return &sqldbtest.Refusal{Number: number, State: "70100", Message: "max_statement_time exceeded"}
				}
				return nil
			}})
			p.Cut()
			var n int
			require.Eventually(t, func() bool { return db.QueryRow(t.Context(), "SELECT 1").Scan(&n) == nil }, waitFor, tick)
			tooSlow(t, db.QueryRow(t.Context(), "SELECT 42").Scan(&n))
			tooSlow(t, db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				return tx.QueryRow(ctx, "SELECT 42").Scan(&n)
			}))
		})
	}
}

func tooSlow(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, sqldb.ErrTooSlow)
	e, ok := err.(*fault.Error) //nolint:errorlint // the outermost is what callers are told
	require.True(t, ok)
	require.GreaterOrEqual(t, e.RetryAfter, 30*time.Second, "no hurry to try again")
}
