package userhttp_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/ports/userhttp"
)

const nextPassword = "gristmill by the river"

func passwords(current, next string) string {
	return `{"current_password":"` + current + `","new_password":"` + next + `"}`
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	a := setup(t)
	ann, _ := a.register("ann@example.org")
	_, eve := a.register("eve@example.org")
	target := "/api/users/" + ann.ID + "/password"
	own, other := a.signIn(ann.Email, password), a.signIn(ann.Email, password)

	a.refused("", http.MethodPut, target, passwords(password, nextPassword), 401, "unauthenticated")
	a.refused(eve, http.MethodPut, target, passwords(password, nextPassword), 404, "user_not_found")
	a.refused(a.admin, http.MethodPut, target, passwords(password, nextPassword), 403, "password_forbidden")
	nobody := "/api/users/" + uuid.NewString() + "/password"
	a.refused(a.admin, http.MethodPut, nobody, passwords(password, nextPassword), 403, "password_forbidden")
	p := a.refused(own.AccessToken, http.MethodPut, target, passwords("wrong one", nextPassword), 403, "wrong_password")
	require.Equal(t, []rest.Violation{{Location: "body.current_password", Message: "is wrong"}}, p.Errors)
	for next, message := range map[string]string{
		password:          "must not be the current password",
		"short":           "must have 8 to 128 characters",
		"Password123":     "is one of the most common passwords, which are tried first",
		"Ann@example.org": "must not be the e-mail address or the name",
	} {
		p := a.refused(own.AccessToken, http.MethodPut, target, passwords(password, next), 422, "invalid")
		require.Equal(t, []rest.Violation{{Location: "body.new_password", Message: message}}, p.Errors)
	}
	got := a.call(own.AccessToken, http.MethodPut, target, passwords(password, nextPassword))
	require.Equal(t, http.StatusNoContent, got.status, got.body)
	require.Empty(t, got.body)
	require.Equal(t, http.StatusOK, a.refresh(own).status)
	require.Equal(t, http.StatusUnauthorized, a.refresh(other).status)
	a.refused("", http.MethodPost, "/api/auth/login", `{"email":"ann@example.org","password":"`+password+`"}`, 401, "bad_credentials")
	a.signIn(ann.Email, nextPassword)
}

func TestDrawnPasswordMustBeChangedFirst(t *testing.T) {
	t.Parallel()
	a := setupWith(t, command.EnsureAdmin{Email: adminEmail, Password: password, Drawn: true})
	own := a.signIn(adminEmail, password)
	me := a.call(own.AccessToken, http.MethodGet, "/api/users/me", "")
	require.Equal(t, http.StatusOK, me.status)
	self := "/api/users/" + decode[userhttp.Account](t, me.body).ID
	for _, c := range []struct{ method, target, body string }{
		{http.MethodGet, "/api/users", ""},
		{http.MethodGet, self, ""},
		{http.MethodPut, self, `{"name":"Root"}`},
		{http.MethodDelete, self, ""},
	} {
		p := a.refused(own.AccessToken, c.method, c.target, c.body, 403, "password_change_required")
		require.Contains(t, p.Detail, "/password", "it says what to do")
	}
	require.Equal(t, http.StatusOK, a.call(own.AccessToken, http.MethodGet, "/api/auth/sessions", "").status)
	require.Equal(t, http.StatusNoContent, a.call(own.AccessToken, http.MethodPut, self+"/password", passwords(password, nextPassword)).status)
	a.refused(own.AccessToken, http.MethodGet, "/api/users", "", 403, "password_change_required")
	refreshed := decode[tokens](t, a.refresh(own).body)
	require.Equal(t, http.StatusOK, a.call(refreshed.AccessToken, http.MethodGet, "/api/users", "").status)
	require.Equal(t, http.StatusOK, a.call(a.login(adminEmail, nextPassword), http.MethodGet, "/api/users", "").status)
}
