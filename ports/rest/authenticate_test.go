package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header    []string
		path      string
		status    int
		challenge string
	}{
		"no header":      {nil, "/api/admin", 401, `Bearer realm="millrace"`},
		"another scheme": {[]string{"Basic abc"}, "/api/admin", 401, `Bearer realm="millrace", error="invalid_token"`},
		"no token":       {[]string{"Bearer "}, "/api/admin", 401, `Bearer realm="millrace", error="invalid_token"`},
		"bad token":      {[]string{"Bearer nobody"}, "/api/admin", 401, `Bearer realm="millrace", error="invalid_token"`},
		"two headers":    {[]string{"Bearer admin", "Bearer user"}, "/api/admin", 401, `Bearer realm="millrace", error="invalid_token"`},
		"overlong": {
			[]string{"Bearer " + strings.Repeat("a", 5000)}, "/api/admin", 401, `Bearer realm="millrace", error="invalid_token"`,
		},
		"keys away":         {[]string{"Bearer keys-away"}, "/api/admin", 503, ""},
		"role that may not": {[]string{"Bearer user"}, "/api/admin", 403, ""},
		"role that may":     {[]string{"Bearer admin"}, "/api/admin", 200, ""},
		"scheme in lower":   {[]string{"bearer admin"}, "/api/admin", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Header["Authorization"] = c.header
			res := setup(t).do(t, r)
			require.Equal(t, c.challenge, res.Header.Get("WWW-Authenticate"))
			if c.status == 200 {
				require.Equal(t, 200, res.StatusCode)
				return
			}
			require.NotContains(t, problem(t, res, c.status).Detail, "secret")
		})
	}
}

func TestCallerReachesTheOperation(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPut, "/api/own", strings.NewReader(`{"name":"x"}`))
	r.Header.Set("Authorization", "Bearer user")
	res := setup(t).do(t, r)
	require.JSONEq(t, `{"name":"user"}`, text(t, res))
}

func TestLogSaysWhoAskedAlsoWhereTheyMayNot(t *testing.T) {
	t.Parallel()
	for token, userID := range map[string]any{
		"admin": "02000000-0000-0000-0000-000000000000", "user": "01000000-0000-0000-0000-000000000000", "nobody": nil,
	} {
		f := setup(t)
		r := httptest.NewRequest(http.MethodGet, "/api/admin", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		f.do(t, r)
		require.Equal(t, userID, f.log.lines(t)[0]["user_id"], token)
	}
}

func TestPasswordThatMustBeChangedOpensNothingElse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for path, status := range map[string]int{"/api/password": 204, "/api/own": 403} {
		r := httptest.NewRequest(http.MethodPut, path, strings.NewReader(`{"name":"x"}`))
		r.Header.Set("Authorization", "Bearer drawn")
		res := f.do(t, r)
		if status == 204 {
			require.Equal(t, status, res.StatusCode)
			continue
		}
		require.Equal(t, "password_change_required", problem(t, res, status).Code)
	}
	r := httptest.NewRequest(http.MethodGet, "/api/admin", nil)
	r.Header.Set("Authorization", "Bearer drawn")
	require.Equal(t, "password_change_required", problem(t, f.do(t, r), 403).Code)
}

// unread fails the test if anybody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read before the sign-in was checked")
	return 0, errors.New("read")
}

func TestNobodyReadsTheBodyOfAStranger(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPut, "/api/own", io.NopCloser(unread{t}))
	r.ContentLength = 10
	problem(t, setup(t).do(t, r), 401)
}
