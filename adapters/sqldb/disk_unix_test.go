//go:build unix

package sqldb_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

// The limit of a file's size, which makes the disk refuse writes with an I/O error, is the process's: the test has one of its own.
func TestWriteThatTheDiskRefusesIsNoUnknownOutcome(t *testing.T) {
	const child = "MILLRACE_TEST_CHILD"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // itself
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	db := sqldbtest.Open(t, "sqlite:", things)
	require.NoError(t, db.Atomically(t.Context(), insert(2)))
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 10, Max: before.Max}))
	err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO things (id, n, body) VALUES (1, 0, ?)", make([]byte, 1<<16))
		return err
	})
	writable := db.Writable(t.Context())
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	require.ErrorIs(t, err, sqldb.ErrDisk)
	require.ErrorIs(t, writable, sqldb.ErrDisk)
	require.Equal(t, 1, count(t, db, "SELECT COUNT(*) FROM things"))
	require.NoError(t, db.Atomically(t.Context(), insert(1)))
}
