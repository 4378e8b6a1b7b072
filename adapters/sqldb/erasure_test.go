package sqldb_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
)

// openIn opens a migrated SQLite database in dir.
func openIn(t *testing.T, dir string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(sqldb.Config{URL: "sqlite:", DataDir: dir, Name: "erasure"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), things))
	return db
}

// holds reports which of the files in dir have text in them.
func holds(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		if bytes.Contains(content, []byte(text)) {
			found = append(found, filepath.Base(file))
		}
	}
	return found
}

// people stores n rows with a text each, large enough to split pages.
func people(t *testing.T, db *sqldb.DB, n int) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT NOT NULL UNIQUE, note TEXT NOT NULL)")
		return err
	})
	for i := range n {
		write(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			mail := fmt.Sprintf("%x-person-%d@example.com", (i*7919)%n, i)
			_, err := tx.Exec(ctx, "INSERT INTO people VALUES (?, ?, ?)", i, mail, fmt.Sprintf("note of person-%d, %0*d", i, i%200, 0))
			return err
		})
	}
}

func write(t *testing.T, db *sqldb.DB, fn func(ctx context.Context, tx *sqldb.Tx) error) {
	t.Helper()
	require.NoError(t, db.Atomically(t.Context(), fn))
}

func TestErasedDataIsInNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openIn(t, dir)
	people(t, db, 500)
	require.NotEmpty(t, holds(t, dir, "person-77@"))
	write(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		tx.Erases()
		_, err := tx.Exec(ctx, "DELETE FROM people WHERE id = 77")
		return err
	})
	require.Eventually(t, func() bool {
		return len(holds(t, dir, "person-77@"))+len(holds(t, dir, "note of person-77,")) == 0
	}, waitFor, tick)
	require.NotEmpty(t, holds(t, dir, "person-78@"))
}

func TestReaderDelaysAnErasureAndPreventsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openIn(t, dir)
	people(t, db, 50)
	rows, err := db.Query(t.Context(), "SELECT mail FROM people")
	require.NoError(t, err)
	require.True(t, rows.Next())
	write(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		tx.Erases()
		_, err := tx.Exec(ctx, "DELETE FROM people WHERE id = 7")
		return err
	})
	for i := range 20 { // nobody waits for the reader
		write(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE people SET note = ? WHERE id = 8", fmt.Sprint(i))
			return err
		})
	}
	require.NotEmpty(t, holds(t, dir, "person-7@"), "the reader still sees it")
	require.NoError(t, rows.Close())
	require.Eventually(t, func() bool { return len(holds(t, dir, "person-7@")) == 0 }, waitFor, tick)
}

func TestDatabaseIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no such rights")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // as a folder that somebody else made
	db := openIn(t, dir)
	people(t, db, 1)
	requireClosed := func() {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.Len(t, files, 3, "database, write-ahead log and its index")
		for _, file := range files {
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
		}
	}
	requireClosed()

	for _, suffix := range []string{"", "-wal", "-shm"} { // as they were made before
		require.NoError(t, os.Chmod(filepath.Join(dir, "erasure.db"+suffix), 0o644)) //nolint:gosec // that is the point
	}
	openIn(t, dir)
	requireClosed()
}
