package usersql_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
	"github.com/millrace/millrace/adapters/usersql"
)

func TestKeysAreKeptByteForByteAndOnce(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, usersql.Migrations, func(t *testing.T, db *sqldb.DB) {
		store := usersql.NewStore(db, nil)
		keys, err := store.Keys(t.Context())
		require.NoError(t, err)
		require.Empty(t, keys)

		at := time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)
		younger := jwks.StoredKey{ID: "younger", Public: []byte{0, 1, 0xff}, Sealed: []byte("sealed\x00\xfe"), CreatedAt: at.Add(time.Hour)}
		older := jwks.StoredKey{ID: "older", Public: []byte{2}, Sealed: []byte{3}, CreatedAt: at}
		for _, k := range []jwks.StoredKey{younger, older, {ID: "older", Public: []byte{4}, Sealed: []byte{5}, CreatedAt: at}} {
			require.NoError(t, store.AddKey(t.Context(), k))
		}
		keys, err = store.Keys(t.Context())
		require.NoError(t, err)
		require.Equal(t, []jwks.StoredKey{older, younger}, keys)
	})
}
