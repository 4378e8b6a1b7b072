// Package sqldbtest runs a test on every database that Millrace works with.
package sqldbtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
)

// Each runs fn on a fresh SQLite database and, where MILLRACE_TEST_MYSQL gives a DSN or a mysql:// URL, on a fresh MySQL one.
// Without it the MySQL part is skipped, or fails where CI=true.
func Each(t *testing.T, migrations fs.FS, fn func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, Open(t, "sqlite:", migrations))
	})
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		fn(t, Open(t, MySQL(t), migrations))
	})
}

// MySQL gives the server to test on, or skips the test, or fails it where CI=true.
func MySQL(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("MILLRACE_TEST_MYSQL")
	if dsn == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("MILLRACE_TEST_MYSQL is not set: with CI=true the MySQL tests must run")
		}
		t.Skip("MILLRACE_TEST_MYSQL is not set: skipping the tests on MySQL")
	}
	return dsn
}

// Open gives a fresh, migrated database that is closed, and on MySQL dropped, with the test.
func Open(t testing.TB, url string, migrations fs.FS) *sqldb.DB {
	t.Helper()
	return OpenConfig(t, sqldb.Config{URL: url}, migrations)
}

// OpenConfig is Open with limits of the test's own; folder and name are chosen here.
func OpenConfig(t testing.TB, cfg sqldb.Config, migrations fs.FS) *sqldb.DB {
	t.Helper()
	var random [6]byte
	_, err := rand.Read(random[:])
	require.NoError(t, err)
	cfg.DataDir, cfg.Name = t.TempDir(), "millrace_test_"+hex.EncodeToString(random[:])
	db, err := sqldb.Open(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, db.Migrate(ctx, migrations))
	t.Cleanup(func() {
		if db.Dialect() == sqldb.MySQL {
			drop(t, db, cfg.Name)
		}
		require.NoError(t, db.Close())
	})
	return db
}

func drop(t testing.TB, db *sqldb.DB, name string) {
	t.Helper()
	err := db.Atomically(context.Background(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "DROP DATABASE `"+name+"`")
		return err
	})
	require.NoError(t, err)
}
