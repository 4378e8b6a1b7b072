package jwks_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/jwks"
	"github.com/millrace/millrace/app/fault"
)

// source is a jwks.KeySource of one key.
type source struct {
	id    string
	key   ed25519.PublicKey
	err   error
	asked atomic.Int32
}

func (s *source) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	s.asked.Add(1)
	switch {
	case s.err != nil:
		return nil, s.err
	case id != s.id:
		return nil, fault.New(fault.Unauthenticated, "invalid_token", "unknown key")
	}
	return s.key, nil
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	set := func(name string, value any) func(map[string]any) {
		return func(claims map[string]any) { claims[name] = value }
	}
	drop := func(name string) func(map[string]any) {
		return func(claims map[string]any) { delete(claims, name) }
	}
	now := newClock().now()
	key := header{Kid: "k"}
	good := forge(t, private, key, nil)
	parts, other := strings.Split(good, "."), strings.Split(forge(t, private, key, set("role", "user")), ".")
	for name, c := range map[string]struct {
		token string
		good  bool
	}{
		"as it should be":              {good, true},
		"audience among others":        {forge(t, private, key, set("aud", []string{"x", "millrace"})), true},
		"expired within the leeway":    {forge(t, private, key, set("exp", now.Add(-time.Second).Unix())), true},
		"alg none":                     {forge(t, private, header{Alg: "none", Kid: "k"}, nil), false},
		"HS256 with the public key":    {forge(t, private, header{Alg: "HS256", Kid: "k"}, nil), false},
		"alg of another spelling":      {forge(t, private, header{Alg: "eddsa", Kid: "k"}, nil), false},
		"typ JWT":                      {forge(t, private, header{Typ: "JWT", Kid: "k"}, nil), false},
		"unknown key":                  {forge(t, private, header{Kid: "another"}, nil), false},
		"no key":                       {forge(t, private, header{}, nil), false},
		"critical extension":           {forge(t, private, header{Kid: "k", Crit: []string{"x"}, X: true}, nil), false},
		"another's key":                {forge(t, foreign, key, nil), false},
		"another issuer":               {forge(t, private, key, set("iss", "other")), false},
		"no issuer":                    {forge(t, private, key, drop("iss")), false},
		"another audience":             {forge(t, private, key, set("aud", "other")), false},
		"no audience":                  {forge(t, private, key, drop("aud")), false},
		"expired":                      {forge(t, private, key, set("exp", now.Add(-6*time.Second).Unix())), false},
		"never expires":                {forge(t, private, key, drop("exp")), false},
		"issued by a clock ahead":      {forge(t, private, key, set("iat", now.Add(29*time.Second).Unix())), true},
		"issued in the future":         {forge(t, private, key, set("iat", now.Add(time.Minute).Unix())), false},
		"issued at no time":            {forge(t, private, key, drop("iat")), false},
		"not valid yet":                {forge(t, private, key, set("nbf", now.Add(time.Minute).Unix())), false},
		"no role":                      {forge(t, private, key, drop("role")), false},
		"unknown role":                 {forge(t, private, key, set("role", "root")), false},
		"role of another type":         {forge(t, private, key, set("role", []string{"admin"})), false},
		"no session":                   {forge(t, private, key, drop("sid")), false},
		"pwd_change of another type":   {forge(t, private, key, set("pwd_change", "no")), false},
		"no subject":                   {forge(t, private, key, drop("sub")), false},
		"subject is no UUID":           {forge(t, private, key, set("sub", "1")), false},
		"changed claims":               {parts[0] + "." + other[1] + "." + parts[2], false},
		"without signature":            {parts[0] + "." + parts[1] + ".", false},
		"two parts":                    {parts[0] + "." + parts[1], false},
		"JSON serialisation":           {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, false},
		"empty":                        {"", false},
		"junk":                         {"a.b.c", false},
		"white space around it":        {" " + good, false},
		"signature with bits to spare": {good[:len(good)-1] + "B", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := jwks.NewVerifier(&source{id: "k", key: public}, newClock().now)
			for range 2 { // the second time from memory, where there is one
				got, err := v.Verify(t.Context(), c.token)
				if c.good {
					require.NoError(t, err)
					require.True(t, got.Admin())
					continue
				}
				require.Equal(t, fault.Unauthenticated, fault.KindOf(err), "%v", err)
				require.Zero(t, got)
			}
		})
	}
}

func TestClockOfTheIssuerThatIsAheadIsLoggedOnceAWhile(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		ahead  time.Duration
		logged int
	}{"not at all": {0, 0}, "a little": {time.Second, 0}, "more": {20 * time.Second, 2}, "too much": {time.Minute, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			clock := newClock()
			v := jwks.NewVerifier(&source{id: "k", key: public}, clock.now, jwks.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			for range 2 {
				for n := range 5 {
					iat := clock.now().Add(c.ahead).Unix()
					_, _ = v.Verify(t.Context(), forge(t, private, header{Kid: "k"}, func(claims map[string]any) {
						claims["iat"], claims["sid"] = iat, strconv.Itoa(n)
					}))
				}
				clock.pass(2 * time.Minute)
			}
			require.Equal(t, c.logged, strings.Count(log.String(), "issued in the future"), log.String())
			require.Equal(t, c.logged, strings.Count(log.String(), "ahead="+c.ahead.String()))
		})
	}
}

func TestRememberedTokenEndsWithItsTime(t *testing.T) {
	t.Parallel()
	f := setup(t)
	token := f.issue(t)
	for _, step := range []struct {
		pass time.Duration
		good bool
	}{{0, true}, {10 * time.Minute, true}, {4*time.Minute + 59*time.Second, true}, {10 * time.Second, false}} {
		f.clock.pass(step.pass)
		_, remembered := f.verifier.Verify(t.Context(), token)
		_, fresh := jwks.NewVerifier(f.keys, f.clock.now).Verify(t.Context(), token)
		require.Equal(t, step.good, remembered == nil)
		require.Equal(t, remembered == nil, fresh == nil, "remembered and fresh agree")
	}
}

func TestRememberedTokenEndsWithItsKey(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	s := &source{id: "k", key: public}
	v := jwks.NewVerifier(s, newClock().now)
	token := forge(t, private, header{Kid: "k"}, nil)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)
	s.id = "next"
	_, err = v.Verify(t.Context(), token)
	require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
}

func TestKeysThatCannotBeHadAreNotTheCallersFault(t *testing.T) {
	t.Parallel()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	v := jwks.NewVerifier(&source{err: fault.New(fault.Unavailable, "keys_unavailable", "away")}, newClock().now)
	_, err = v.Verify(t.Context(), forge(t, private, header{Kid: "k"}, nil))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func BenchmarkVerify(b *testing.B) {
	f := setup(b)
	token := f.issue(b)
	b.Run("remembered", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.verifier.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fresh", func(b *testing.B) {
		for b.Loop() {
			if _, err := jwks.NewVerifier(f.keys, f.clock.now).Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
