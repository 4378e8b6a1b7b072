package sqldb_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

func TestAdviceSaysWhatIsWrongAndRepeatsNoSecret(t *testing.T) {
	t.Parallel()
	migrate := func(url string) error {
		db, err := sqldb.Open(sqldb.Config{URL: url, Name: "millrace_advice"})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db.Migrate(t.Context(), things)
	}
	t.Run("no server", func(t *testing.T) {
		t.Parallel()
		advice := sqldb.Advice(migrate("mysql://nobody:hunter22@127.0.0.1:1/"))
		require.Contains(t, advice, "no server answers")
		require.NotContains(t, advice, "hunter22")
	})
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		server := serverOf(t, sqldbtest.MySQL(t))
		advice := sqldb.Advice(migrate("nobody:hunter22@" + server.Net + "(" + server.Addr + ")/"))
		require.Contains(t, advice, "refuses the user or the password")
		require.NotContains(t, advice, "hunter22")
	})
	t.Run("full disk", func(t *testing.T) {
		t.Parallel()
		db := sqldbtest.Open(t, "sqlite:", things)
		require.NoError(t, db.Writable(t.Context()))
		err := db.Atomically(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			if _, err := tx.Exec(ctx, "PRAGMA max_page_count = 1"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO things (id, n, body) VALUES (2, 0, ?)", make([]byte, 1<<20))
			return err
		})
		require.ErrorIs(t, err, sqldb.ErrFull)
		require.ErrorIs(t, db.Writable(t.Context()), sqldb.ErrFull, "readiness says so too")
		require.NoError(t, db.Ping(t.Context()), "and that the database is there")
		require.Contains(t, sqldb.Advice(err), "disk of the data folder is full")
	})
	require.Empty(t, sqldb.Advice(context.Canceled))
	_, err := sqldb.ParseURL("sqlite:/tmp/x.db")
	require.ErrorContains(t, err, "takes no path")
}
