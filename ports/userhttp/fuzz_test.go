package userhttp_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/millrace/millrace/app/limit"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/app/user/command"
	"github.com/millrace/millrace/ports/userhttp"
)

// plainHasher costs nothing, so that many bodies can be tried.
type plainHasher struct{}

func (plainHasher) Room(limit.Origin) error { return nil }

func (plainHasher) Hash(_ context.Context, _ limit.Origin, password string) (string, error) {
	return "hash of " + password, nil
}

func (plainHasher) Verify(_ context.Context, _ limit.Origin, hash, password string) (bool, error) {
	return hash == "hash of "+password, nil
}

// FuzzBodies sends anything as the body of each route that takes one. Nobody gets a role by it, or anybody's password.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"email":"ada@example.org","name":"Ada","password":"gristmill by the river"}`,
		`{"email":"a@b","name":"","password":"x","role":"admin"}`,
		`{"email":"admin@example.org","password":"gristmill by the river"}`, `{"name":null}`, `{"role":"admin"}`, `{"Role":"admin"}`,
		`{"email":"","current_password":""}`,
		`{"refresh_token":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}`, `{"current_password":"a","new_password":"b"}`, `{"name":"\u0000"}`,
		`null`, `{`,
	} {
		f.Add(seed)
	}
	setUp := setupHashing(f, command.EnsureAdmin{Email: adminEmail, Password: password}, plainHasher{})
	setUp.admin = setUp.login(adminEmail, password)
	got := setUp.call("", http.MethodPost, "/api/users", `{"email":"eve@example.org","name":"Eve","password":"gristmill by the river"}`)
	require.Equal(f, http.StatusCreated, got.status, got.body)
	eve := setUp.login("eve@example.org", "gristmill by the river")
	f.Fuzz(func(t *testing.T, body string) {
		a := &api{t: t, handler: setUp.handler}
		for _, route := range []string{
			"POST /api/users", "POST /api/auth/login", "POST /api/auth/refresh", "POST /api/auth/logout",
			"PUT /api/users/018f3b1c-9c3a-7c1e-8b56-0a4c5d9e2f10", "PUT " + got.header.Get("Location"),
			"PUT " + got.header.Get("Location") + "/password",
		} {
			method, path, _ := strings.Cut(route, " ")
			answered := a.call(eve, method, path, body)
			require.Less(t, answered.status, http.StatusInternalServerError, "%s with %q: %s", route, body, answered.body)
			require.NotContains(t, answered.body, "hash of ")
			if answered.status == http.StatusCreated || answered.status == http.StatusOK && method == http.MethodPut {
				require.Equal(t, principal.RoleUser, decode[userhttp.Account](t, answered.body).Role, body)
			}
		}
	})
}
