package sqldb_test

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/sqldb"
)

// How long a condition is waited for, and how often it is looked at.
const (
	waitFor = time.Minute // no machine is so slow
	tick    = 10 * time.Millisecond
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// things is a service's schema: one table.
var things = fstest.MapFS{
	"mysql/00001_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE IF NOT EXISTS things (" +
		"id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL, body LONGBLOB NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;")},
	"sqlite/00001_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE IF NOT EXISTS things (" +
		"id INTEGER PRIMARY KEY, n INTEGER NOT NULL, body BLOB NULL);")},
}

func insert(id int) func(context.Context, *sqldb.Tx) error {
	return func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO things (id, n) VALUES (?, 0)", id)
		return err
	}
}

func count(t *testing.T, db *sqldb.DB, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(context.Background(), query, args...).Scan(&n))
	return n
}
