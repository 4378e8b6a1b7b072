package usersql_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
		for _, c := range []struct {
			key    jwks.StoredKey
			newest string
			added  bool
		}{
			{older, "", true},
			{younger, "", false},
			{younger, "nobody", false},
			{younger, "older", true},
			{jwks.StoredKey{ID: "twin", Public: []byte{4}, Sealed: []byte{5}, CreatedAt: at.Add(2 * time.Hour)}, "older", false},
		} {
			added, err := store.AddKey(t.Context(), c.key, c.newest)
			require.NoError(t, err)
			require.Equal(t, c.added, added, "%s behind %q", c.key.ID, c.newest)
		}
		keys, err = store.Keys(t.Context())
		require.NoError(t, err)
		require.Equal(t, []jwks.StoredKey{older, younger}, keys)

		require.NoError(t, store.DeleteKeys(t.Context(), "older", "nobody"))
		keys, err = store.Keys(t.Context())
		require.NoError(t, err)
		require.Equal(t, []jwks.StoredKey{younger}, keys)
	})
}

func TestOfReplicasThatAddTheNextKeyAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, usersql.Migrations, func(t *testing.T, db *sqldb.DB) {
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		newest := ""
		for round := range 5 {
			failed := make([]error, 16)
			var all sync.WaitGroup
			for i := range failed {
				all.Go(func() {
					// IDs on both sides of the newest one: a scan in their order would pass by what was added behind its back.
					made := at.Add(time.Duration(round) * time.Hour)
					key := jwks.StoredKey{ID: fmt.Sprintf("%02d-%d", i, round), Public: []byte{1}, Sealed: []byte{2}, CreatedAt: made}
					_, failed[i] = usersql.NewStore(db, nil).AddKey(context.WithoutCancel(t.Context()), key, newest)
				})
			}
			all.Wait()
			require.NoError(t, errors.Join(failed...))
			keys, err := usersql.NewStore(db, nil).Keys(t.Context())
			require.NoError(t, err)
			if round == 0 { // there is nothing to lock yet, and several first keys do no harm
				require.NotEmpty(t, keys)
				require.NoError(t, usersql.NewStore(db, nil).DeleteKeys(t.Context(), idsOf(keys[1:])...))
				keys = keys[:1]
			}
			require.Len(t, keys, round+1)
			newest = keys[round].ID
		}
	})
}

func idsOf(keys []jwks.StoredKey) (ids []string) {
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}
