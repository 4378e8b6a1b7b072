package jwks_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/jwks"
)

// published gives the IDs in the key set, as who fetches it sees them.
func published(t testing.TB, keys *jwks.Keyring) (ids []string) {
	t.Helper()
	data, err := keys.Document(t.Context())
	require.NoError(t, err)
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(data, &set))
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
	}
	return ids
}

func keyOf(t testing.TB, token string) string {
	t.Helper()
	id, _ := part(t, token, 0)["kid"].(string)
	return id
}

func TestAYearOfRotationSignsNobodyOut(t *testing.T) {
	t.Parallel()
	f := setup(t)
	replica, err := keyring(t, f.store, f.clock, "secret")
	require.NoError(t, err)
	rings := []*jwks.Keyring{f.keys, replica}
	const step = 3 * time.Hour
	since := map[string]time.Time{} // when a key was first seen published
	var last string
	for began := f.clock.now(); f.clock.now().Sub(began) < 365*24*time.Hour; f.clock.pass(step) {
		for i, keys := range rings {
			require.NoError(t, keys.Rotate(t.Context()))
			for _, id := range published(t, keys) {
				if _, seen := since[id]; !seen {
					since[id] = f.clock.now()
				}
			}
			token, _, err := jwks.NewSigner(keys, f.clock.now).Issue(t.Context(), caller)
			require.NoError(t, err)
			if id := keyOf(t, token); id != last {
				require.True(t, last == "" || f.clock.now().Sub(since[id]) >= jwks.PublishAhead-step, "published long before it signs")
				last = id
			}
			f.clock.pass(jwks.AccessLasts - time.Second) // the token's whole life later, at another replica
			other := rings[1-i]
			require.NoError(t, other.Rotate(t.Context()))
			_, err = jwks.NewVerifier(other, f.clock.now).Verify(t.Context(), token)
			require.NoError(t, err)
		}
	}
	require.Len(t, since, 13, "one key at the beginning and one every 30 days")
	require.LessOrEqual(t, len(published(t, f.keys)), 2, "keys that nobody needs are gone")
	require.LessOrEqual(t, len(f.store.keys), 2, "and their private halves are erased")
}

func TestReplicasMakeOneNextKey(t *testing.T) {
	t.Parallel()
	f := setup(t)
	rings := make([]*jwks.Keyring, 8)
	for i := range rings {
		var err error
		rings[i], err = keyring(t, f.store, f.clock, "secret")
		require.NoError(t, err)
	}
	f.clock.pass(jwks.RotateEvery)
	var all sync.WaitGroup
	for _, keys := range rings {
		all.Go(func() { _ = keys.Rotate(t.Context()) })
	}
	all.Wait()
	require.Len(t, f.store.keys, 2)
}

func TestKeyThatWasNotLookedAfterStillSigns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	first := keyOf(t, f.issue(t))
	f.clock.pass(10 * jwks.RotateEvery) // nothing ran for most of a year
	require.Equal(t, first, keyOf(t, f.issue(t)))
	require.NoError(t, f.keys.Rotate(t.Context()))
	require.Equal(t, first, keyOf(t, f.issue(t)), "nobody knows the new key yet")
	f.clock.pass(jwks.PublishAhead)
	require.NotEqual(t, first, keyOf(t, f.issue(t)))
	require.Len(t, published(t, f.keys), 2)
	f.clock.pass(jwks.RetireAfter)
	require.NoError(t, f.keys.Rotate(t.Context()))
	require.Len(t, published(t, f.keys), 1)
}

func TestRotationWaitsForADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.pass(jwks.RotateEvery)
	away := errors.New("database away")
	f.store.fail(away)
	require.ErrorIs(t, f.keys.Rotate(t.Context()), away)
	f.issue(t)
	require.Len(t, published(t, f.keys), 1)
	f.store.fail(nil)
	require.NoError(t, f.keys.Rotate(t.Context()))
	require.Len(t, published(t, f.keys), 2)
}
