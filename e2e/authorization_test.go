package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// The callers of the table, in the order of its columns. The owner is whom the user, the order or the session of the route belongs to.
const (
	anonymous = iota
	other
	owner
	publisher
	operator
	admin
	callers
)

var callerNames = [callers]string{"anonymous", "other", "owner", "publisher", "operator", "admin"}

// right is a row: what each caller is answered.
type right struct {
	route string // method and path as the OpenAPI document has them
	want  [callers]int
	body  string
	query string
}

// rights is who may do what. Things of others are not there for who may not see them (404); what a role may do is no secret (403).
// A {name} in path or body is filled in by scene.fill with something fresh, so that no cell depends on another.
var rights = []right{
	//                                                         anon  other owner publ  oper  admin
	{route: "POST /api/users", want: [...]int{201, 201, 201, 201, 201, 201},
		body: `{"email":"{email}","name":"N","password":"` + adminPassword + `"}`},
	{route: "GET /api/users", want: [...]int{401, 403, 403, 403, 403, 200}},
	{route: "GET /api/users/me", want: [...]int{401, 200, 200, 200, 200, 200}},
	{route: "GET /api/users/{user}", want: [...]int{401, 404, 200, 404, 404, 200}},
	{route: "PUT /api/users/{user}", want: [...]int{401, 404, 200, 404, 404, 200}, body: `{"name":"Renamed"}`},
	{route: "PUT /api/users/{user}", want: [...]int{401, 404, 403, 404, 404, 200}, body: `{"role":"operator"}`},
	{route: "PUT /api/users/{user}/password", want: [...]int{401, 404, 204, 404, 404, 403},
		body: `{"current_password":"` + adminPassword + `","new_password":"another fine password"}`},
	{route: "DELETE /api/users/{user}", want: [...]int{401, 404, 204, 404, 404, 204}},

	{route: "POST /api/auth/login", want: [...]int{200, 200, 200, 200, 200, 200},
		body: `{"email":"admin@localhost","password":"` + adminPassword + `"}`},
	{route: "POST /api/auth/refresh", want: [...]int{200, 200, 200, 200, 200, 200}, body: `{"refresh_token":"{refresh}"}`},
	{route: "POST /api/auth/logout", want: [...]int{204, 204, 204, 204, 204, 204}, body: `{"refresh_token":"{refresh}"}`},
	{route: "GET /api/auth/sessions", want: [...]int{401, 200, 200, 200, 200, 200}},
	{route: "DELETE /api/auth/sessions/{session}", want: [...]int{401, 404, 204, 404, 404, 404}},
	{route: "DELETE /api/users/{user}/sessions", want: [...]int{401, 404, 204, 404, 404, 204}},
	{route: "GET /.well-known/jwks.json", want: [...]int{200, 200, 200, 200, 200, 200}},

	{route: "POST /api/orders", want: [...]int{401, 201, 201, 201, 201, 201}, body: oneOrder},
	{route: "POST /api/orders", want: [...]int{401, 403, 201, 403, 403, 201}, body: `{"user_id":"{user}",` + oneOrder[1:]},
	{route: "GET /api/orders", want: [...]int{401, 200, 200, 200, 200, 200}},
	{route: "GET /api/orders", want: [...]int{401, 403, 200, 403, 403, 200}, query: "?user_id={user}"},
	{route: "GET /api/orders/{order}", want: [...]int{401, 404, 200, 404, 404, 200}},
	{route: "PUT /api/orders/{order}", want: [...]int{401, 404, 200, 404, 404, 200}, body: `{"note":"ring twice"}`},
	{route: "POST /api/orders/{order}/cancel", want: [...]int{401, 404, 200, 404, 404, 200}, body: `{"reason":"changed my mind"}`},
	{route: "DELETE /api/orders/{order}", want: [...]int{401, 404, 204, 404, 404, 204}},

	{route: "GET /api/events", want: [...]int{401, 403, 403, 403, 200, 200}},
	{route: "GET /api/events/{event}", want: [...]int{401, 403, 403, 403, 200, 200}},
	{route: "GET /api/poison", want: [...]int{401, 403, 403, 403, 200, 200}},
	{route: "GET /api/poison/{poison}", want: [...]int{401, 403, 403, 403, 200, 200}},
	{route: "POST /api/poison/{poison}/requeue", want: [...]int{401, 403, 403, 403, 200, 200}},

	{route: "GET /openapi.json", want: [...]int{200, 200, 200, 200, 200, 200}},
	{route: "GET /asyncapi.json", want: [...]int{200, 200, 200, 200, 200, 200}},
	{route: "GET /healthz", want: [...]int{200, 200, 200, 200, 200, 200}},
	{route: "GET /readyz", want: [...]int{200, 200, 200, 200, 200, 200}},
	{route: "GET /metrics", want: [...]int{200, 200, 200, 200, 200, 200}},
}

// open is what anybody may read and the OpenAPI document leaves out.
var open = []string{"/docs", "/docs/page.js"}

func TestEveryRouteAuthorizesByRole(t *testing.T) {
	t.Parallel()
	s := setScene(t)
	require.Empty(t, unlisted(documented(t, s.node), rights), "routes that the table does not name")
	require.Empty(t, gone(documented(t, s.node), rights), "routes of the table that are gone")
	for _, r := range rights {
		for caller, want := range r.want {
			s.ask(r, caller, want)
		}
	}
	for _, path := range open {
		for caller := range callers {
			require.Equal(t, http.StatusOK, s.get(s.tokens[caller], path).status, "%s as %s", path, callerNames[caller])
			require.Equal(t, http.StatusOK, s.send(s.tokens[caller], http.MethodHead, path, "").status, "%s as %s", path, callerNames[caller])
		}
	}
}

// The table is worth something only if a route that is missing in it is noticed.
func TestAuthorizationTableReportsMissingAndRemovedRoutes(t *testing.T) {
	t.Parallel()
	document := []string{"GET /api/things", "GET /api/things/{id}"}
	require.Equal(t, []string{"GET /api/things/{}"}, unlisted(document, []right{{route: "GET /api/things"}}))
	require.Equal(t, []string{"PUT /api/things"}, gone(document, []right{{route: "PUT /api/things"}, {route: "GET /api/things/{thing}"}}))
}

// documented gives the routes of the OpenAPI document that the process serves.
func documented(t *testing.T, n *node) (routes []string) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	n.get("", "/openapi.json").into(t, &document)
	for path, operations := range document.Paths {
		for method := range operations {
			routes = append(routes, strings.ToUpper(method)+" "+path)
		}
	}
	require.NotEmpty(t, routes)
	return routes
}

// unlisted gives the routes of the document without a row.
func unlisted(document []string, table []right) []string {
	listed := map[string]bool{}
	for _, r := range table {
		listed[nameless(r.route)] = true
	}
	missing := map[string]bool{}
	for _, route := range document {
		missing[nameless(route)] = !listed[nameless(route)]
	}
	maps.DeleteFunc(missing, func(_ string, missing bool) bool { return !missing })
	return slices.Sorted(maps.Keys(missing))
}

// gone gives the rows without a route in the document.
func gone(document []string, table []right) []string {
	served := make([]right, len(document))
	for i, route := range document {
		served[i].route = route
	}
	routes := make([]string, len(table))
	for i, r := range table {
		routes[i] = r.route
	}
	return unlisted(routes, served)
}

// nameless leaves the names of parameters out of a route.
func nameless(route string) string {
	var b strings.Builder
	for part := range strings.SplitAfterSeq(route, "{") {
		_, behind, named := strings.Cut(part, "}")
		if named {
			part = "}" + behind
		}
		b.WriteString(part)
	}
	return b.String()
}

// scene is a process with a signed-in caller for each column but the owner, who is somebody else each time.
type scene struct {
	*node

	tokens     [callers]string
	ownerEmail string
	event      string
	poison     []string
	people     int
}

func setScene(t *testing.T) *scene {
	t.Helper()
	addr := freeAddr(t)
	s := &scene{node: start(t, "--data-dir="+t.TempDir(), "--rate-limits=off",
		"--embedded-nats-addr="+addr, "--embedded-nats-password="+natsPassword).ready()}
	s.tokens[admin] = s.admin()
	_, s.tokens[other] = s.register("other@example.org")
	for caller, role := range map[int]string{publisher: "publisher", operator: "operator"} {
		id, _ := s.register(role + "@example.org")
		a := s.send(s.tokens[admin], http.MethodPut, "/api/users/"+id, fmt.Sprintf(`{"role":%q}`, role))
		require.Equal(t, http.StatusOK, a.status, a.body)
		s.tokens[caller] = s.signIn(role+"@example.org", adminPassword)
	}
	s.event = s.history(s.tokens[admin], "")[0].ID

	nc, err := nats.Connect("nats://"+addr, nats.UserInfo("millrace", natsPassword))
	require.NoError(t, err)
	defer nc.Close()
	for range callers {
		require.NoError(t, nc.Publish("events.user.created.v1", []byte("no JSON")))
	}
	require.NoError(t, nc.Flush())
	for _, p := range s.node.poison(s.tokens[admin], "status=open", callers) {
		s.poison = append(s.poison, p.ID)
	}
	return s
}

// ask tries one cell, HEAD too where it is GET.
func (s *scene) ask(r right, caller, want int) {
	s.t.Helper()
	method, path, _ := strings.Cut(r.route, " ")
	fill := s.fill(path + r.query + r.body)
	path, body := fill.Replace(path+r.query), fill.Replace(r.body)
	if method == http.MethodGet {
		a := s.send(s.tokens[caller], http.MethodHead, path, "")
		require.Equal(s.t, want, a.status, "HEAD %s as %s", path, callerNames[caller])
		require.Empty(s.t, a.body)
	}
	a := s.send(s.tokens[caller], method, path, body)
	require.Equal(s.t, want, a.status, "%s%s as %s: %s", r.route, r.query, callerNames[caller], a.body)
	if want >= http.StatusBadRequest {
		require.Equal(s.t, "application/problem+json", a.header.Get("Content-Type"), r.route)
	}
	if strings.Contains(r.route, "{user}") && method != http.MethodGet {
		s.tokens[owner] = "" // the next cell has another
	}
}

// fill makes what a cell names: an owner and what belongs to one, and takes a poison message from the stock.
func (s *scene) fill(names string) *strings.Replacer {
	s.t.Helper()
	s.people++
	pairs := []string{"{email}", fmt.Sprintf("new-%d@example.org", s.people), "{event}", s.event, "{poison}", s.poison[0]}
	if strings.Contains(names, "requeue") {
		s.poison = append(s.poison[1:], s.poison[0])
	}
	if s.tokens[owner] == "" || strings.Contains(names, "{user}") {
		var id string
		s.ownerEmail = fmt.Sprintf("owner-%d@example.org", s.people)
		id, s.tokens[owner] = s.register(s.ownerEmail)
		pairs = append(pairs, "{user}", id)
	}
	if strings.Contains(names, "{session}") || strings.Contains(names, "{refresh}") {
		session, refresh := s.session(s.ownerEmail)
		pairs = append(pairs, "{session}", session, "{refresh}", refresh)
	}
	if strings.Contains(names, "{order}") {
		pairs = append(pairs, "{order}", s.place(s.tokens[owner]))
	}
	return strings.NewReplacer(pairs...)
}

// session begins another session, and gives its ID and refresh token.
func (s *scene) session(email string) (id, refresh string) {
	s.t.Helper()
	var pair struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	s.send("", http.MethodPost, "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email, adminPassword)).into(s.t, &pair)
	var claims struct {
		Session string `json:"sid"`
	}
	plain, err := base64.RawURLEncoding.DecodeString(strings.Split(pair.AccessToken, ".")[1])
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(plain, &claims))
	require.NotEmpty(s.t, claims.Session)
	return claims.Session, pair.RefreshToken
}
