package argon_test

import (
	"crypto/rand"
	"errors"
	"regexp"
	"sync"
	"testing"

	"github.com/millrace/millrace/app/limit"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/argon"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "correct horse battery staple"

var origin = limit.Origin{Network: "192.0.2.1/32"}

func TestHashFitsItsPasswordAlone(t *testing.T) {
	t.Parallel()
	h := argon.New(2, rand.Reader)
	hash, err := h.Hash(t.Context(), origin, password)
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`^\$argon2id\$v=19\$m=47104,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`), hash)
	for given, want := range map[string]bool{password: true, password + " ": false, "Correct horse battery staple": false, "": false} {
		fits, err := h.Verify(t.Context(), origin, hash, given)
		require.NoError(t, err)
		require.Equal(t, want, fits, given)
	}
	again, err := h.Hash(t.Context(), origin, password)
	require.NoError(t, err)
	require.NotEqual(t, hash, again, "each hash has a salt of its own")
}

func TestParametersComeFromTheHash(t *testing.T) {
	t.Parallel()
	// Made by the reference implementation: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 24
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	fits, err := argon.New(2, rand.Reader).Verify(t.Context(), origin, hash, "password")
	require.NoError(t, err)
	require.True(t, fits)
}

func TestUnusableHashIsAnError(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHRzb21lc2FsdA", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for name, hash := range map[string]string{
		"empty":            "",
		"plain text":       password,
		"bcrypt":           "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":          "$argon2i$v=19$m=47104,t=1,p=1$" + salt + "$" + key,
		"another version":  "$argon2id$v=16$m=47104,t=1,p=1$" + salt + "$" + key,
		"too much memory":  "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key,
		"too little":       "$argon2id$v=19$m=1,t=1,p=1$" + salt + "$" + key,
		"too many passes":  "$argon2id$v=19$m=47104,t=1000,p=1$" + salt + "$" + key,
		"no pass":          "$argon2id$v=19$m=47104,t=0,p=1$" + salt + "$" + key,
		"no thread":        "$argon2id$v=19$m=47104,t=1,p=0$" + salt + "$" + key,
		"negative":         "$argon2id$v=19$m=-1,t=1,p=1$" + salt + "$" + key,
		"something behind": "$argon2id$v=19$m=47104,t=1,p=1,x=1$" + salt + "$" + key,
		"short salt":       "$argon2id$v=19$m=47104,t=1,p=1$c2Fs$" + key,
		"short key":        "$argon2id$v=19$m=47104,t=1,p=1$" + salt + "$a2V5",
		"no base64":        "$argon2id$v=19$m=47104,t=1,p=1$" + salt + "$!",
		"one part more":    "$argon2id$v=19$m=47104,t=1,p=1$" + salt + "$" + key + "$",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fits, err := argon.New(1, rand.Reader).Verify(t.Context(), origin, hash, password)
			require.Error(t, err)
			require.False(t, fits)
			require.NotContains(t, err.Error(), password)
		})
	}
}

func TestManyAtOnceAllGetTheirTurn(t *testing.T) {
	t.Parallel()
	h := argon.New(2, rand.Reader)
	errs := make([]error, 5)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = h.Hash(t.Context(), origin, password) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

func TestNoHashWithoutRandomness(t *testing.T) {
	t.Parallel()
	_, err := argon.New(1, broken{}).Hash(t.Context(), origin, password)
	require.ErrorContains(t, err, "no randomness")
}

func BenchmarkHash(b *testing.B) {
	h := argon.New(2, rand.Reader)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), origin, password); err != nil {
			b.Fatal(err)
		}
	}
}
