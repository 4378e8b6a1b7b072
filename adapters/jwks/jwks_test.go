package jwks_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/app/fault"
	"github.com/millrace/millrace/app/principal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a jwks.KeyStore in memory.
type store struct {
	mu   sync.Mutex
	keys []jwks.StoredKey
	away error
	read int
}

func (s *store) Keys(context.Context) ([]jwks.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
	return slices.Clone(s.keys), s.away
}

func (s *store) AddKey(_ context.Context, k jwks.StoredKey, newest string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := ""
	if len(s.keys) > 0 {
		last = s.keys[len(s.keys)-1].ID
	}
	if s.away != nil || last != newest {
		return false, s.away
	}
	s.keys = append(s.keys, k)
	return true, nil
}

func (s *store) DeleteKeys(_ context.Context, ids ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away == nil {
		s.keys = slices.DeleteFunc(s.keys, func(k jwks.StoredKey) bool { return slices.Contains(ids, k.ID) })
	}
	return s.away
}

// put adds a key whatever is there.
func (s *store) put(k jwks.StoredKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, k)
}

func (s *store) reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 123, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func keyring(t testing.TB, s *store, c *clock, secret string) (*jwks.Keyring, error) {
	t.Helper()
	keys, err := jwks.NewKeyring(jwks.KeyringConfig{
		Store: s, Secret: []byte(secret), Random: rand.Reader, Now: c.now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	if err := keys.Open(t.Context()); err != nil {
		return nil, err
	}
	return keys, nil
}

// fixture is a user service's keys with a signer and a verifier on them.
type fixture struct {
	store    *store
	clock    *clock
	keys     *jwks.Keyring
	signer   *jwks.Signer
	verifier *jwks.Verifier
}

func setup(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{store: &store{}, clock: newClock()}
	keys, err := keyring(t, f.store, f.clock, "secret")
	require.NoError(t, err)
	f.keys, f.signer, f.verifier = keys, jwks.NewSigner(keys, f.clock.now), jwks.NewVerifier(keys, f.clock.now)
	return f
}

var caller = principal.Principal{
	UserID: uuid.MustParse("0192f3a0-0000-7000-8000-000000000001"), Role: principal.RoleOperator, Session: "s-1",
}

func (f *fixture) issue(t testing.TB) string {
	t.Helper()
	token, _, err := f.signer.Issue(t.Context(), caller)
	require.NoError(t, err)
	return token
}

func part(t testing.TB, token string, i int) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(data, &m))
	return m
}

func TestTokenSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	f := setup(t)
	token, expires, err := f.signer.Issue(t.Context(), caller)
	require.NoError(t, err)
	issued := f.clock.now().Truncate(time.Second)
	require.Equal(t, issued.Add(15*time.Minute), expires)
	require.Equal(t, map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": f.store.keys[0].ID}, part(t, token, 0))
	require.Equal(t, map[string]any{
		"iss": "millrace", "aud": "millrace", "sub": "0192f3a0-0000-7000-8000-000000000001", "role": "operator", "sid": "s-1",
		"iat": float64(issued.Unix()), "exp": float64(expires.Unix()),
	}, part(t, token, 1))
	got, err := f.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	want := caller
	want.IssuedAt = issued
	require.Equal(t, want, got)
}

func TestTokenSaysThatThePasswordMustBeChanged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	drawn := caller
	drawn.MustChangePassword = true
	token, _, err := f.signer.Issue(t.Context(), drawn)
	require.NoError(t, err)
	require.Equal(t, true, part(t, token, 1)["pwd_change"])
	for range 2 { // the second time from memory
		got, err := f.verifier.Verify(t.Context(), token)
		require.NoError(t, err)
		require.True(t, got.MustChangePassword)
	}
}

func TestTokenOutlivesARestart(t *testing.T) {
	t.Parallel()
	f := setup(t)
	token := f.issue(t)
	keys, err := keyring(t, f.store, f.clock, "secret")
	require.NoError(t, err)
	require.Len(t, f.store.keys, 1)
	got, err := jwks.NewVerifier(keys, f.clock.now).Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, caller.UserID, got.UserID)
	require.Equal(t, caller.Role, got.Role)
}

func TestWrongSecretIsSaidClearly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := keyring(t, f.store, f.clock, "another secret")
	require.ErrorIs(t, err, jwks.ErrSecret)
	require.ErrorContains(t, err, "MILLRACE_SECRET_KEY")
	require.Len(t, f.store.keys, 1, "no key is added beside those that do not open")
	_, err = keyring(t, f.store, f.clock, "")
	require.ErrorContains(t, err, "MILLRACE_SECRET_KEY")
}

func TestPrivateKeyIsNotInTheDatabase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.store.keys[0]
	require.Len(t, a.Public, ed25519.PublicKeySize)
	require.False(t, bytes.Contains(a.Sealed, a.Public))
	moved := a
	moved.Public = bytes.Clone(a.Public)
	moved.Public[0] ^= 1
	_, err := keyring(t, &store{keys: []jwks.StoredKey{moved}}, f.clock, "secret")
	require.ErrorIs(t, err, jwks.ErrSecret, "the public key is bound to the sealed one")
	moved = a
	moved.ID = "another"
	_, err = keyring(t, &store{keys: []jwks.StoredKey{moved}}, f.clock, "secret")
	require.ErrorIs(t, err, jwks.ErrSecret, "the ID is bound to the sealed key")
}

func TestForeignKeyInTheDatabaseIsNotTrusted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	f.store.put(jwks.StoredKey{
		ID: "forged", Public: public, Sealed: []byte("not sealed by us, but long enough"), CreatedAt: f.clock.now(),
	})
	keys, err := keyring(t, f.store, f.clock, "secret")
	require.NoError(t, err)
	_, err = jwks.NewVerifier(keys, f.clock.now).Verify(t.Context(), forge(t, private, header{Kid: "forged"}, nil))
	require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	data, err := keys.Document(t.Context())
	require.NoError(t, err)
	require.NotContains(t, string(data), "forged")
}

func TestReplicasThatMakeTheFirstKeyAtOnceTakeEachOthersTokens(t *testing.T) {
	t.Parallel()
	s, c := &store{}, newClock()
	rings := make([]*jwks.Keyring, 4)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() { rings[i], _ = keyring(t, s, c, "secret") })
	}
	wg.Wait()
	for _, signs := range rings {
		require.NotNil(t, signs)
		token, _, err := jwks.NewSigner(signs, c.now).Issue(t.Context(), caller)
		require.NoError(t, err)
		for _, verifies := range rings {
			_, err := jwks.NewVerifier(verifies, c.now).Verify(t.Context(), token)
			require.NoError(t, err)
		}
	}
}

func TestStoreThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	away := errors.New("database away")
	_, err := keyring(t, &store{away: away}, newClock(), "secret")
	require.ErrorIs(t, err, away)
}

func TestDocument(t *testing.T) {
	t.Parallel()
	f := setup(t)
	data, err := f.keys.Document(t.Context())
	require.NoError(t, err)
	k := f.store.keys[0]
	want, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": k.ID, "x": base64.RawURLEncoding.EncodeToString(k.Public),
	}}})
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(data), "and nothing of the private key")

	// A replica started and added its key.
	other := setup(t)
	f.store.put(other.store.keys[0])
	f.clock.pass(time.Minute)
	data, err = f.keys.Document(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(data), other.store.keys[0].ID)

	f.store.fail(errors.New("database away"))
	f.clock.pass(time.Minute)
	again, err := f.keys.Document(t.Context())
	require.NoError(t, err)
	require.Equal(t, string(data), string(again), "the keys as they were, while the database is away")
}

type header struct {
	Alg  string   `json:"alg,omitempty"`
	Typ  string   `json:"typ,omitempty"`
	Kid  string   `json:"kid,omitempty"`
	Crit []string `json:"crit,omitempty"`
	X    bool     `json:"x,omitempty"`
}

// forge makes a token by hand, as an attacker would; what h leaves out is as it should be.
func forge(t testing.TB, private ed25519.PrivateKey, h header, change func(claims map[string]any)) string {
	t.Helper()
	if h.Alg == "" {
		h.Alg = "EdDSA"
	}
	if h.Typ == "" {
		h.Typ = "at+jwt"
	}
	now := newClock().now()
	claims := map[string]any{
		"iss": "millrace", "aud": "millrace", "sub": uuid.UUID(caller.UserID).String(), "role": "admin", "sid": "s-1",
		"iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
	}
	if change != nil {
		change(claims)
	}
	signed := encode(t, h) + "." + encode(t, claims)
	var signature []byte
	switch h.Alg {
	case "none":
	case "HS256":
		public, _ := private.Public().(ed25519.PublicKey)
		m := hmac.New(sha256.New, public)
		m.Write([]byte(signed))
		signature = m.Sum(nil)
	default:
		signature = ed25519.Sign(private, []byte(signed))
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(data)
}

func TestNothingIsSignedBeforeTheKeyringIsOpen(t *testing.T) {
	t.Parallel()
	c := newClock()
	keys, err := jwks.NewKeyring(jwks.KeyringConfig{
		Store: &store{}, Secret: []byte("secret"), Random: rand.Reader, Now: c.now, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	_, _, err = jwks.NewSigner(keys, c.now).Issue(t.Context(), principal.Principal{})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	_, err = keys.Document(t.Context())
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}
