package jwks_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/app/fault"
)

// userService serves the key set of f until it is away.
type userService struct {
	*httptest.Server

	away    atomic.Bool
	fetched atomic.Int32
}

func serve(t *testing.T, f *fixture) *userService {
	t.Helper()
	s := &userService{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetched.Add(1)
		if s.away.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		data, err := f.keys.Document(r.Context())
		if err != nil {
			http.Error(w, "no keys", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRemoteKeys(t *testing.T) {
	t.Parallel()

	t.Run("are fetched once", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		s := serve(t, f)
		remote := jwks.NewRemote(s.URL, s.Client(), f.clock.now)
		for range 5 {
			_, err := jwks.NewVerifier(remote, f.clock.now).Verify(t.Context(), f.issue(t))
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, s.fetched.Load())
	})

	t.Run("stay good while the user service is away", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		s := serve(t, f)
		remote := jwks.NewRemote(s.URL, s.Client(), f.clock.now)
		_, err := jwks.NewVerifier(remote, f.clock.now).Verify(t.Context(), f.issue(t))
		require.NoError(t, err)
		s.away.Store(true)
		for range 5 {
			f.clock.pass(time.Hour)
			_, err = jwks.NewVerifier(remote, f.clock.now).Verify(t.Context(), f.issue(t))
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return s.fetched.Load() > 1 }, waitFor, tick, "and are asked for again")
	})

	t.Run("never had are no fault of the caller, and are had once the user service is back", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		s := serve(t, f)
		s.away.Store(true)
		v := jwks.NewVerifier(jwks.NewRemote(s.URL, s.Client(), f.clock.now), f.clock.now)
		for range 5 {
			_, err := v.Verify(t.Context(), f.issue(t))
			require.Equal(t, fault.Unavailable, fault.KindOf(err))
		}
		require.EqualValues(t, 1, s.fetched.Load(), "a user service that is away is not asked for each token")
		s.away.Store(false)
		f.clock.pass(3 * time.Second)
		_, err := v.Verify(t.Context(), f.issue(t))
		require.NoError(t, err)
	})

	t.Run("are fetched anew for a key that was added", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		s := serve(t, f)
		v := jwks.NewVerifier(jwks.NewRemote(s.URL, s.Client(), f.clock.now), f.clock.now)
		_, err := v.Verify(t.Context(), f.issue(t))
		require.NoError(t, err)
		// A replica with an empty store of its own makes a key, which comes into the shared one.
		replica := setup(t)
		f.store.put(replica.store.keys[0])
		f.clock.pass(time.Minute)
		_, err = v.Verify(t.Context(), replica.issue(t))
		require.NoError(t, err)
	})

	t.Run("are not fetched for each token with a made-up key", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		s := serve(t, f)
		remote := jwks.NewRemote(s.URL, s.Client(), f.clock.now)
		v := jwks.NewVerifier(remote, f.clock.now)
		for range 50 {
			_, err := v.Verify(t.Context(), setup(t).issue(t))
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
		}
		require.LessOrEqual(t, s.fetched.Load(), int32(5))
		_, err := v.Verify(t.Context(), f.issue(t))
		require.NoError(t, err)
	})
}

func TestUnknownKeysDoNotBurdenTheDatabase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before := f.store.reads()
	for range 50 {
		_, err := f.verifier.Verify(t.Context(), setup(t).issue(t))
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	}
	require.LessOrEqual(t, f.store.reads()-before, 5)
}

func TestKeysAreTakenFromTheirAddressAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	elsewhere := serve(t, f)
	sent := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(sent.Close)
	token, _, err := f.signer.Issue(t.Context(), caller)
	require.NoError(t, err)
	_, err = jwks.NewVerifier(jwks.NewRemote(sent.URL, sent.Client(), f.clock.now), f.clock.now).Verify(t.Context(), token)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.Zero(t, elsewhere.fetched.Load())
}
