package userhttp_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.register("ann@example.org")
	got := a.call("", http.MethodPost, "/api/auth/login", `{"email":" Ann@example.org","password":"`+password+`"}`)
	require.Equal(t, 200, got.status, got.body)
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	answer := decode[tokens](t, got.body)
	require.Equal(t, "Bearer", answer.TokenType)
	require.Equal(t, 900, answer.ExpiresIn)
	require.Equal(t, 200, a.call(answer.AccessToken, http.MethodGet, "/api/users/me", "").status)
}

func TestFailedSignInsAreAlike(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.register("ann@example.org")
	bodies := map[string]string{
		"wrong password":    `{"email":"ann@example.org","password":"wrong one"}`,
		"unknown e-mail":    `{"email":"nobody@example.org","password":"wrong one"}`,
		"no e-mail address": `{"email":"nobody","password":"wrong one"}`,
		"empty":             `{"email":"","password":""}`,
	}
	for name, body := range bodies {
		before := a.hasher.count.Load()
		got := a.call("", http.MethodPost, "/api/auth/login", body)
		require.EqualValues(t, 1, a.hasher.count.Load()-before, "%s takes the time of one hash", name)
		require.Equal(t, 401, got.status, name)
		require.Equal(t, `Bearer realm="millrace"`, got.header.Get("WWW-Authenticate"))
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
		p := decode[rest.Problem](t, got.body)
		p.CorrelationID = ""
		require.Equal(t, rest.Problem{
			Type: "urn:millrace:problem:bad_credentials", Title: "Unauthorized", Status: 401,
			Detail: "E-mail address and password do not fit.", Code: "bad_credentials",
		}, p)
	}
}

func TestGuessesAreLimited(t *testing.T) {
	t.Parallel()
	a := setup(t)
	ann, token := a.register("ann@example.org")
	guess := func(email string) answer {
		return a.call("", http.MethodPost, "/api/auth/login", `{"email":"`+email+`","password":"wrong one"}`)
	}
	for _, email := range []string{"ann@example.org", "nobody@example.org"} {
		for range 10 {
			require.Equal(t, http.StatusUnauthorized, guess(email).status)
		}
		before := a.hasher.count.Load()
		got := guess(email)
		require.Equal(t, http.StatusTooManyRequests, got.status, got.body)
		require.Equal(t, before, a.hasher.count.Load(), "at once, and not for the price of a hash")
		wait, err := strconv.Atoi(got.header.Get("Retry-After"))
		require.NoError(t, err)
		require.InDelta(t, 90, wait, 10)
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
		p := decode[rest.Problem](t, got.body)
		p.CorrelationID = ""
		require.Equal(t, rest.Problem{
			Type: "urn:millrace:problem:too_many_attempts", Title: "Too Many Requests", Status: 429,
			Detail: "Too many wrong passwords. Retry-After says in how many seconds it can go on.", Code: "too_many_attempts",
		}, p)
	}
	self := "/api/users/" + ann.ID
	a.refused(token, http.MethodPut, self+"/password", passwords(password, nextPassword), 429, "too_many_attempts")
	a.refused(token, http.MethodPut, self, `{"email":"new@example.org","current_password":"`+password+`"}`, 429, "too_many_attempts")
	require.Equal(t, http.StatusOK, a.call(token, http.MethodPut, self, `{"name":"Anna"}`).status)
}

func TestKeySet(t *testing.T) {
	t.Parallel()
	got := setup(t).call("", http.MethodGet, "/.well-known/jwks.json", "")
	require.Equal(t, 200, got.status)
	require.Equal(t, "public, max-age=60", got.header.Get("Cache-Control"))
	set := decode[struct {
		Keys []map[string]string `json:"keys"`
	}](t, got.body)
	require.Len(t, set.Keys, 1)
	require.Equal(t, "Ed25519", set.Keys[0]["crv"])
	require.Equal(t, "EdDSA", set.Keys[0]["alg"])
	require.NotContains(t, set.Keys[0], "d", "never a private key")
}
