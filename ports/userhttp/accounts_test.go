package userhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/app/principal"
	"github.com/millrace/millrace/ports/rest"
	"github.com/millrace/millrace/ports/userhttp"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	a := setup(t)
	got := a.call("", http.MethodPost, "/api/users", `{"email":"Ann@Example.org","name":"Ann","password":"`+password+`"}`)
	require.Equal(t, http.StatusCreated, got.status, got.body)
	fields := decode[map[string]any](t, got.body)
	require.Equal(t, "/api/users/"+fields["id"].(string), got.header.Get("Location"))
	id, err := uuid.Parse(fields["id"].(string))
	require.NoError(t, err)
	require.Equal(t, uuid.Version(7), id.Version())
	created, err := time.Parse(time.RFC3339Nano, fields["created_at"].(string))
	require.NoError(t, err)
	require.Equal(t, time.UTC, created.Location())
	delete(fields, "id")
	delete(fields, "created_at")
	delete(fields, "updated_at")
	require.Equal(t, map[string]any{"email": "ann@example.org", "name": "Ann", "role": "user", "version": 1.0}, fields)
	require.NotContains(t, got.body, password)
	require.NotContains(t, got.body, "argon2id")

	a.refused("", http.MethodPost, "/api/users", `{"email":"ANN@example.ORG","name":"B","password":"`+password+`"}`, 409, "email_taken")
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	a := setup(t)
	for name, c := range map[string]struct {
		body      string
		status    int
		locations []string
	}{
		"everything wrong":  {`{"email":"x","name":" ","password":"short"}`, 422, []string{"body.email", "body.name", "body.password"}},
		"nothing":           {`{}`, 422, []string{"body", "body", "body"}},
		"role of one's own": {`{"email":"b@x.org","name":"B","password":"` + password + `","role":"admin"}`, 422, []string{"body.role"}},
		"id of one's own":   {`{"email":"b@x.org","name":"B","password":"` + password + `","id":"1"}`, 422, []string{"body.id"}},
		"malformed":         {`{`, 400, []string{"body"}},
		"two e-mails":       {`{"email":"b@x.org","email":"c@x.org","name":"B","password":"` + password + `"}`, 400, []string{"body"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := a.call("", http.MethodPost, "/api/users", c.body)
			require.Equal(t, c.status, got.status, got.body)
			var locations []string
			for _, e := range decode[rest.Problem](t, got.body).Errors {
				locations = append(locations, e.Location)
				require.NotContains(t, e.Message, "short")
			}
			require.Equal(t, c.locations, locations)
		})
	}
}

func TestAccountsAreTheirUsersAndTheAdmins(t *testing.T) {
	t.Parallel()
	a := setup(t)
	ann, annToken := a.register("ann@example.org")
	ben, benToken := a.register("ben@example.org")

	for _, c := range []struct{ token, target string }{
		{annToken, "/api/users/" + ann.ID}, {annToken, "/api/users/me"}, {a.admin, "/api/users/" + ann.ID},
	} {
		got := a.call(c.token, http.MethodGet, c.target, "")
		require.Equal(t, 200, got.status, got.body)
		require.Equal(t, ann, decode[userhttp.Account](t, got.body))
		require.Equal(t, "private, no-cache", got.header.Get("Cache-Control"))
	}
	a.refused(annToken, http.MethodGet, "/api/users/"+ben.ID, "", 404, "user_not_found")
	a.refused(benToken, http.MethodPut, "/api/users/"+ann.ID, `{"name":"x"}`, 404, "user_not_found")
	a.refused(benToken, http.MethodPut, "/api/users/"+ann.ID, `{"role":"admin"}`, 404, "user_not_found")
	a.refused(benToken, http.MethodDelete, "/api/users/"+ann.ID, "", 404, "user_not_found")
	a.refused(a.admin, http.MethodGet, "/api/users/"+uuid.NewString(), "", 404, "user_not_found")
	a.refused(a.admin, http.MethodGet, "/api/users/1", "", 422, "invalid")
	for _, target := range []string{"/api/users/me", "/api/users/" + ann.ID, "/api/users"} {
		a.refused("", http.MethodGet, target, "", 401, "unauthenticated")
		a.refused(annToken+"x", http.MethodGet, target, "", 401, "invalid_token")
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	a := setup(t)
	ann, token := a.register("ann@example.org")
	self := "/api/users/" + ann.ID

	got := a.call(token, http.MethodPut, self, `{"name":"Anna"}`)
	require.Equal(t, 200, got.status, got.body)
	updated := decode[userhttp.Account](t, got.body)
	require.Equal(t, "Anna", updated.Name)
	require.Equal(t, ann.Email, updated.Email, "what is absent stays")
	require.EqualValues(t, 2, updated.Version)

	a.refused(token, http.MethodPut, self, `{"role":"admin"}`, 403, "role_forbidden")
	a.refused(token, http.MethodPut, self, `{"role":"user"}`, 403, "role_forbidden")
	a.refused(token, http.MethodPut, self, `{"email":"new@example.org"}`, 422, "invalid")
	a.refused(token, http.MethodPut, self, `{"email":"new@example.org","current_password":"wrong one"}`, 403, "wrong_password")
	a.refused(token, http.MethodPut, self, `{"email":"`+adminEmail+`","current_password":"`+password+`"}`, 409, "email_taken")
	a.refused(token, http.MethodPut, self, `{"version":9}`, 422, "invalid")
	for _, field := range []string{"name", "email"} {
		p := a.refused(token, http.MethodPut, self, `{"`+field+`":null}`, 422, "invalid")
		require.Equal(t, []rest.Violation{{Location: "body." + field, Message: "cannot be null"}}, p.Errors)
	}
	p := a.refused(a.admin, http.MethodPut, self, `{"role":"root"}`, 422, "invalid")
	require.Equal(t, "body.role", p.Errors[0].Location)

	got = a.call(token, http.MethodPut, self, `{"email":"New@example.org","current_password":"`+password+`"}`)
	require.Equal(t, 200, got.status, got.body)
	a.login("new@example.org", password)

	got = a.call(a.admin, http.MethodPut, self, `{"role":"operator"}`)
	require.Equal(t, 200, got.status, got.body)
	require.Equal(t, principal.RoleOperator, decode[userhttp.Account](t, got.body).Role)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	a := setup(t)
	ann, token := a.register("ann@example.org")
	got := a.call(token, http.MethodDelete, "/api/users/"+ann.ID, "")
	require.Equal(t, http.StatusNoContent, got.status)
	require.Empty(t, got.body)
	a.refused(a.admin, http.MethodGet, "/api/users/"+ann.ID, "", 404, "user_not_found")
	a.refused(a.admin, http.MethodDelete, "/api/users/"+ann.ID, "", 404, "user_not_found")
	a.refused("", http.MethodPost, "/api/auth/login", `{"email":"ann@example.org","password":"`+password+`"}`, 401, "bad_credentials")

	admin := decode[userhttp.Account](t, a.call(a.admin, http.MethodGet, "/api/users/me", "").body)
	a.refused(a.admin, http.MethodDelete, "/api/users/"+admin.ID, "", 409, "last_admin")
	a.refused(a.admin, http.MethodPut, "/api/users/"+admin.ID, `{"role":"user"}`, 409, "last_admin")
}

func TestList(t *testing.T) {
	t.Parallel()
	a := setup(t)
	_, token := a.register("user0@example.org")
	for i := range 4 {
		a.register(fmt.Sprintf("user%d@example.org", i+1))
	}
	a.refused(token, http.MethodGet, "/api/users", "", 403, "forbidden")

	type page = rest.Page[userhttp.Account]
	var emails []string
	cursor, pages := "", 0
	for {
		got := a.call(a.admin, http.MethodGet, "/api/users?limit=2&cursor="+url.QueryEscape(cursor), "")
		require.Equal(t, 200, got.status, got.body)
		p := decode[page](t, got.body)
		for _, u := range p.Items {
			emails = append(emails, u.Email)
		}
		pages++
		if p.NextCursor == "" {
			require.NotContains(t, got.body, "next_cursor")
			break
		}
		cursor = p.NextCursor
	}
	require.Equal(t, 3, pages)
	require.Equal(t, []string{
		"user4@example.org", "user3@example.org", "user2@example.org", "user1@example.org", "user0@example.org", adminEmail,
	}, emails)

	found := decode[page](t, a.call(a.admin, http.MethodGet, "/api/users?email=USER3@example.org", "").body)
	require.Len(t, found.Items, 1)
	require.Equal(t, "user3@example.org", found.Items[0].Email)
	require.JSONEq(t, `{"items":[]}`, a.call(a.admin, http.MethodGet, "/api/users?email=nobody@example.org", "").body)

	p := a.refused(a.admin, http.MethodGet, "/api/users?email=user3@example.org&cursor="+url.QueryEscape(cursor), "", 422, "invalid")
	require.Equal(t, "query.cursor", p.Errors[0].Location, "a cursor of another list")
	a.refused(a.admin, http.MethodGet, "/api/users?cursor=abc", "", 422, "invalid")
	a.refused(a.admin, http.MethodGet, "/api/users?sort=name", "", 422, "invalid")
}

func TestOpenAPIDocumentNamesTheRoutes(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal([]byte(setup(t).call("", http.MethodGet, "/openapi.json", "").body), &doc))
	for path, methods := range map[string][]string{
		"/api/users": {"get", "post"}, "/api/users/{id}": {"get", "put", "delete"}, "/api/users/me": {"get"},
		"/api/auth/login": {"post"}, "/.well-known/jwks.json": {"get"},
	} {
		for _, m := range methods {
			require.Contains(t, doc.Paths[path], m)
		}
	}
}
