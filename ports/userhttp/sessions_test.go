package userhttp_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/ports/userhttp"
)

func (a *api) refresh(t tokens) answer {
	a.t.Helper()
	return a.call("", http.MethodPost, "/api/auth/refresh", `{"refresh_token":"`+t.RefreshToken+`"}`)
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	a := setup(t)
	first := a.signIn(adminEmail, password)
	require.Len(t, first.RefreshToken, 43)
	got := a.refresh(first)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	second := decode[tokens](t, got.body)
	require.Equal(t, "Bearer", second.TokenType)
	require.Equal(t, 900, second.ExpiresIn)
	require.NotEqual(t, first.RefreshToken, second.RefreshToken)
	require.Equal(t, 200, a.call(second.AccessToken, http.MethodGet, "/api/users", "").status, "with the role")

	third := decode[tokens](t, a.refresh(second).body)
	got = a.refresh(first)
	require.Equal(t, http.StatusUnauthorized, got.status, "its successor was used")
	require.Equal(t, `Bearer realm="millrace"`, got.header.Get("WWW-Authenticate"))
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	require.Equal(t, "invalid_refresh_token", decode[rest.Problem](t, got.body).Code)
	require.Equal(t, http.StatusUnauthorized, a.refresh(third).status, "and so the family ended")

	for body, status := range map[string]int{
		`{"refresh_token":"` + first.AccessToken + `"}`: 401,
		`{"refresh_token":""}`:                          401,
		`{}`:                                            422,
		`{"refresh_token":null}`:                        422,
		`{"refresh_token":1}`:                           422,
		`{"refresh_token":"x","scope":"all"}`:           422,
		`{`:                                             400,
	} {
		got := a.call("", http.MethodPost, "/api/auth/refresh", body)
		require.Equal(t, status, got.status, body)
		require.NotContains(t, got.body, first.AccessToken)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	a := setup(t)
	first := a.signIn(adminEmail, password)
	for _, token := range []string{first.RefreshToken, first.RefreshToken, "unknown", ""} {
		got := a.call("", http.MethodPost, "/api/auth/logout", `{"refresh_token":"`+token+`"}`)
		require.Equal(t, http.StatusNoContent, got.status)
		require.Empty(t, got.body)
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	}
	require.Equal(t, http.StatusUnauthorized, a.refresh(first).status)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	a := setup(t)
	ann, _ := a.register("ann@example.org")
	first, second := a.signIn(ann.Email, password), a.signIn(ann.Email, password)
	got := a.call(first.AccessToken, http.MethodGet, "/api/auth/sessions", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	sessions := decode[rest.Page[userhttp.Session]](t, got.body).Items
	require.Len(t, sessions, 3, "that of registration's sign-in too")
	require.Equal(t, []bool{false, true, false}, []bool{sessions[0].Current, sessions[1].Current, sessions[2].Current})
	for _, s := range sessions {
		require.Equal(t, "tester/1", s.UserAgent)
		require.Equal(t, "192.0.2.1", s.Address)
		require.Equal(t, 14*24*time.Hour, s.ExpiresAt.Sub(s.LastUsedAt))
		require.Equal(t, s.CreatedAt, s.LastUsedAt)
		require.Equal(t, time.UTC, s.CreatedAt.Location())
	}
	page := decode[rest.Page[userhttp.Session]](t, a.call(first.AccessToken, http.MethodGet, "/api/auth/sessions?limit=2", "").body)
	require.Equal(t, sessions[:2], page.Items)
	next := "/api/auth/sessions?limit=2&cursor=" + url.QueryEscape(page.NextCursor)
	page = decode[rest.Page[userhttp.Session]](t, a.call(first.AccessToken, http.MethodGet, next, "").body)
	require.Equal(t, sessions[2:], page.Items)
	require.Empty(t, page.NextCursor)
	a.refused(a.admin, http.MethodGet, next, "", 422, "invalid")

	a.refused(a.admin, http.MethodDelete, "/api/auth/sessions/"+sessions[0].ID, "", 404, "session_not_found")
	a.refused(first.AccessToken, http.MethodDelete, "/api/auth/sessions/"+uuid.NewString(), "", 404, "session_not_found")
	a.refused("", http.MethodDelete, "/api/auth/sessions/"+sessions[0].ID, "", 401, "unauthenticated")
	require.Equal(t, http.StatusNoContent, a.call(first.AccessToken, http.MethodDelete, "/api/auth/sessions/"+sessions[0].ID, "").status)
	require.Equal(t, http.StatusUnauthorized, a.refresh(second).status)
	require.Equal(t, http.StatusOK, a.refresh(first).status)
}

func TestAllSessionsOfAUserEnd(t *testing.T) {
	t.Parallel()
	a := setup(t)
	ann, _ := a.register("ann@example.org")
	_, eve := a.register("eve@example.org")
	target := "/api/users/" + ann.ID + "/sessions"
	a.refused(eve, http.MethodDelete, target, "", 404, "user_not_found")
	a.refused("", http.MethodDelete, target, "", 401, "unauthenticated")
	a.refused(a.admin, http.MethodDelete, "/api/users/"+uuid.NewString()+"/sessions", "", 404, "user_not_found")
	for _, self := range []bool{true, false} {
		first := a.signIn(ann.Email, password)
		by := a.admin
		if self {
			by = first.AccessToken
		}
		require.Equal(t, http.StatusNoContent, a.call(by, http.MethodDelete, target, "").status)
		require.Equal(t, http.StatusUnauthorized, a.refresh(first).status)
		got := a.call(first.AccessToken, http.MethodGet, "/api/auth/sessions", "")
		require.JSONEq(t, `{"items":[]}`, got.body, "the access token is good for its time")
	}
}
