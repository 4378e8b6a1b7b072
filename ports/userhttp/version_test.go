package userhttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryAnswerOfOneAccountCarriesItsVersion(t *testing.T) {
	t.Parallel()
	a := setup(t)
	got := a.call("", http.MethodPost, "/api/users", `{"email":"eva@example.org","name":"Eva","password":"`+password+`"}`)
	require.Equal(t, http.StatusCreated, got.status, got.body)
	require.Equal(t, `"1"`, got.header.Get("ETag"))
	target, token := got.header.Get("Location"), a.login("eva@example.org", password)
	for _, step := range []struct {
		method, target, body string
		header, tags         string
		status               int
		tag                  string
	}{
		{http.MethodGet, "/api/users/me", ``, ``, ``, 200, `"1"`},
		{http.MethodGet, "/api/users/me", ``, "If-None-Match", `"1"`, 304, `"1"`},
		{http.MethodGet, target, ``, "If-None-Match", `W/"1"`, 304, `"1"`},
		{http.MethodPut, target, `{"name":"Eve"}`, "If-Match", `"2"`, 412, ``},
		{http.MethodPut, target, `{"name":"Eve"}`, "If-Match", `"1"`, 200, `"2"`},
		{http.MethodPut, target, `{"name":"Eve"}`, "If-Match", `eve`, 422, ``},
		{http.MethodGet, target, ``, "If-None-Match", `"1"`, 200, `"2"`},
		{http.MethodGet, "/api/users/me", ``, "If-None-Match", `"2"`, 304, `"2"`},
		{http.MethodDelete, target, ``, "If-Match", `"1"`, 412, ``},
		{http.MethodDelete, target, ``, "If-Match", `"2"`, 204, ``},
	} {
		headers := []string{}
		if step.header != "" {
			headers = []string{step.header, step.tags}
		}
		got := a.call(token, step.method, step.target, step.body, headers...)
		require.Equal(t, step.status, got.status, "%+v: %s", step, got.body)
		require.Equal(t, step.tag, got.header.Get("ETag"), "%+v", step)
		require.Equal(t, step.status == 304 || step.status == 204, got.body == "", "%+v", step)
	}
}
