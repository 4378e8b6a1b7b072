package e2e_test

// Each test proves that the running process lacks a flaw that naive versions of such a system are known for.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"
)

func TestEventsOfWritesArePublishedOnceTheBrokerIsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	away := start(t, "--data-dir="+dir, "--broker-url=nats://127.0.0.1:1").ready()
	_, user := away.register("ada@example.org")
	id := away.place(user)
	a := away.send(user, http.MethodPost, "/api/orders/"+id+"/cancel", "")
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Zero(t, away.shut())

	back := start(t, "--data-dir="+dir).ready()
	require.Equal(t, []string{"order.placed.v1", "order.cancelled.v1"}, back.types(back.admin(), "key="+id, 2))
}

func TestRefusedWritesPublishNoEvent(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	const racers = 8
	created := together(racers, func() int {
		return n.send("", http.MethodPost, "/api/users", `{"email":"ada@example.org","name":"A","password":"`+adminPassword+`"}`).status
	})
	require.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusConflict: racers - 1}, created)

	_, user := n.register("bob@example.org")
	id := n.place(user)
	for _, header := range []string{`"99"`, `"0"`} {
		a := n.send(user, http.MethodPut, "/api/orders/"+id, `{"note":"never"}`, "If-Match", header)
		require.Equal(t, http.StatusPreconditionFailed, a.status, a.body)
	}
	admin := n.admin()
	last := n.place(admin) // what follows has come, so has what was before
	n.types(admin, "key="+last, 1)
	require.Len(t, n.history(admin, "key="+id), 1, "no event of a change that was refused")
	require.Len(t, n.history(admin, "type=user.created.v1"), 3, "the admin, ada and bob: no event of an account that was not made")
}

// together runs fn so many times at once and counts what it gives.
func together(times int, fn func() int) map[int]int {
	var mu sync.Mutex
	counts := map[int]int{}
	var all sync.WaitGroup
	for range times {
		all.Go(func() {
			got := fn()
			mu.Lock()
			defer mu.Unlock()
			counts[got]++
		})
	}
	all.Wait()
	return counts
}

func TestOrdersRequireAuthentication(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir()).ready()
	_, user := n.register("ada@example.org")
	id := n.place(user)
	before := n.get(user, "/api/orders/"+id)
	for _, c := range [][3]string{
		{http.MethodPost, "/api/orders", oneOrder},
		{http.MethodGet, "/api/orders", ""},
		{http.MethodGet, "/api/orders/" + id, ""},
		{http.MethodPut, "/api/orders/" + id, `{"note":"mine"}`},
		{http.MethodPost, "/api/orders/" + id + "/cancel", ""},
		{http.MethodDelete, "/api/orders/" + id, ""},
	} {
		a := n.send("", c[0], c[1], c[2])
		require.Equal(t, http.StatusUnauthorized, a.status, "%s %s: %s", c[0], c[1], a.body)
	}
	require.Equal(t, before.body, n.get(user, "/api/orders/"+id).body)
	list := n.get(n.admin(), "/api/orders")
	require.Equal(t, 1, strings.Count(list.body, `"user_id"`), list.body)
}

// Whoever has not shown who they are is answered before a byte of the body has come, is not asked for it, and hears nothing of what is
// wrong with it.
func TestCallersAreAuthenticatedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir()).ready()
	for _, r := range rights {
		route := pathOfNobody(r.route)
		if r.want[anonymous] != http.StatusUnauthorized || r.body == "" {
			continue
		}
		for _, more := range []string{
			"Content-Length: 1000000\r\n\r\n", "Content-Length: 7\r\nExpect: 100-continue\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n", "Content-Length: 3\r\n\r\n{{{",
			"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n{{{",
		} {
			answered, err := n.raw(route + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + more)
			require.NoError(t, err, "%s with %s", route, more)
			require.Contains(t, answered[:min(len(answered), 16)], "HTTP/1.1 401", "%s with %s", route, more)
		}
	}
}

func TestClientsCannotSetFieldsOfTheServer(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	userID, user := n.register("ada@example.org")
	otherID, _ := n.register("eve@example.org")
	order := n.place(user)
	orderBefore, userBefore := n.get(user, "/api/orders/"+order).body, n.get(user, "/api/users/me").body
	orders, users := "/api/orders", "/api/users"
	for _, c := range []struct {
		method, path, body string // %s is the field
		fields             []string
	}{
		{http.MethodPost, orders, `{"items":[{"sku":"tea","quantity":2,"unit_price":450}],"currency":"EUR",%s}`, []string{
			`"status":"cancelled"`, `"Status":"cancelled"`, `"total":1`, `"TOTAL":1`, `"version":7`, `"id":"` + order + `"`,
			`"user_id":"` + otherID + `"`,
			`"created_at":"2020-01-01T00:00:00Z"`, `"cancel_reason":"x"`, `"currency":"USD"`,
		}},
		{http.MethodPost, orders, `{"currency":"EUR","items":[{"sku":"tea","quantity":2,"unit_price":450,%s}]}`, []string{
			`"total":1`, `"price":1`, `"quantity":1`, `"Quantity":1`,
		}},
		{http.MethodPut, orders + "/" + order, `{"note":"n",%s}`, []string{
			`"status":"cancelled"`, `"total":1`, `"user_id":"` + otherID + `"`, `"version":7`,
			`"currency":"USD"`, `"cancelled_at":null`, `"note":"m"`,
		}},
		{http.MethodPost, orders + "/" + order + "/cancel", `{"reason":"r",%s}`, []string{`"status":"placed"`, `"total":0`}},
		{http.MethodPost, users, `{"email":"new@example.org","name":"N","password":"` + adminPassword + `",%s}`, []string{
			`"role":"admin"`, `"Role":"admin"`, `"version":7`, `"id":"` + otherID + `"`, `"password_hash":"x"`, `"email":"admin@localhost"`,
		}},
		{http.MethodPut, users + "/" + userID, `{"name":"N",%s}`, []string{
			`"role":"admin"`, `"ROLE":"admin"`, `"version":7`, `"id":"` + otherID + `"`,
			`"password":"stolen password"`, `"password_hash":"x"`, `"name":"M"`,
		}},
	} {
		for _, field := range c.fields {
			a := n.send(user, c.method, c.path, fmt.Sprintf(c.body, field))
			require.Contains(t, []int{http.StatusBadRequest, http.StatusForbidden, http.StatusUnprocessableEntity}, a.status,
				"%s %s with %s: %s", c.method, c.path, field, a.body)
		}
	}
	require.Equal(t, orderBefore, n.get(user, "/api/orders/"+order).body)
	require.Equal(t, userBefore, n.get(user, "/api/users/me").body)
	admin := n.admin()
	require.Equal(t, 1, strings.Count(n.get(admin, "/api/orders").body, `"user_id"`), "no order was made")
	require.Equal(t, 3, strings.Count(n.get(admin, "/api/users").body, `"email"`), "no account was made")
}

func TestSafeMethodsChangeNothing(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	userID, user := n.register("ada@example.org")
	id := n.place(user)
	admin := n.admin()
	n.types(admin, "key="+id, 1)
	events, order, account := n.history(admin, ""), n.get(user, "/api/orders/"+id).body, n.get(user, "/api/users/me").body

	fill := strings.NewReplacer("{id}", id, "{type}", "order.placed.v1")
	for _, route := range documented(t, n) {
		method, path, _ := strings.Cut(route, " ")
		for _, path := range []string{fill.Replace(path), strings.ReplaceAll(path, "{id}", userID)} {
			for _, safe := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
				a := n.send(admin, safe, path, "", "X-HTTP-Method-Override", method, "X-Method-Override", method)
				if safe == http.MethodGet && !slices.Contains(documented(t, n), "GET "+path) && a.status == http.StatusMethodNotAllowed {
					require.Contains(t, a.header.Get("Allow"), method)
				}
				require.Less(t, a.status, http.StatusInternalServerError, a.body)
			}
			a := n.get(admin, path+"?_method="+method)
			require.NotEqual(t, http.StatusNoContent, a.status, a.body)
		}
	}
	marker := n.place(admin)
	n.types(admin, "key="+marker, 1)
	require.Len(t, n.history(admin, ""), len(events)+1, "no event but that of the order placed since")
	require.Equal(t, order, n.get(user, "/api/orders/"+id).body)
	require.Equal(t, account, n.get(user, "/api/users/me").body)
}

func TestCancellingTwicePublishesOneEvent(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	_, user := n.register("ada@example.org")
	id := n.place(user)
	cancel := func() int {
		return n.send(user, http.MethodPost, "/api/orders/"+id+"/cancel", `{"reason":"changed my mind"}`).status
	}
	const times = 16
	require.Equal(t, map[int]int{http.StatusOK: times}, together(times, cancel), "the same answer each time")
	require.Equal(t, http.StatusOK, cancel())
	require.Equal(t, http.StatusNoContent, n.send(user, http.MethodDelete, "/api/orders/"+id, "").status)
	require.Equal(t, []string{"order.placed.v1", "order.cancelled.v1", "order.deleted.v1"}, n.types(n.admin(), "key="+id, 3))
}

func TestSignInAnswersTheSameForUnknownAndKnownAddresses(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	n.register("ada@example.org")
	wrong := n.signInWrongly("ada@example.org")
	require.Equal(t, http.StatusUnauthorized, wrong.status, wrong.body)
	for _, email := range wrongAddresses {
		a := n.signInWrongly(email)
		require.Equal(t, wrong.status, a.status, email)
		require.Equal(t, wrong.body, a.body, email)
		require.Equal(t, withoutDate(wrong.header), withoutDate(a.header), email)
	}
}

// wrongAddresses are those of an account, of nobody, and of nobody who could exist.
var wrongAddresses = []string{"ada@example.org", "nobody@example.org", "no address", "", "ADA@EXAMPLE.ORG"}

// signInWrongly tries to sign in with a wrong password.
func (n *node) signInWrongly(email string) answer {
	n.t.Helper()
	return n.send("", http.MethodPost, "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":"not the password"}`, email),
		"X-Correlation-ID", "same")
}

// The attempts take turns, so that whatever else the machine does slows all of them, and their medians are compared: hashing is most of
// each, so an attempt that is not hashed takes a fraction of the others.
func TestSignInTakesTheSameTimeForUnknownAndKnownAddresses(t *testing.T) { //nolint:paralleltest // it measures
	timingtest.Only(t)
	n := start(t, "--data-dir="+t.TempDir(), "--rate-limits=off").ready()
	n.register("ada@example.org")
	const attempts = 41
	took := map[string][]time.Duration{}
	for range attempts {
		for _, email := range wrongAddresses {
			began := time.Now()
			n.signInWrongly(email)
			took[email] = append(took[email], time.Since(began))
		}
	}
	var medians []time.Duration
	for _, email := range wrongAddresses {
		slices.Sort(took[email])
		medians = append(medians, took[email][attempts/2])
	}
	t.Logf("medians of %q: %s", wrongAddresses, medians)
	require.Less(t, slices.Max(medians), slices.Min(medians)*5/4)
}

func withoutDate(h http.Header) http.Header {
	h = h.Clone()
	h.Del("Date")
	return h
}

// That an address is taken can be learnt by registering it: the contract says so (docs/security.md), and no more is said.
func TestRegistrationRevealsOnlyThatAnAddressIsTaken(t *testing.T) {
	t.Parallel()
	n := start(t, "--data-dir="+t.TempDir()).ready()
	id, _ := n.register("ada@example.org")
	a := n.send("", http.MethodPost, "/api/users", `{"email":"Ada@Example.ORG","name":"Eve","password":"`+adminPassword+`"}`)
	require.Equal(t, http.StatusConflict, a.status, a.body)
	for _, personal := range []string{"ada", "Ada", "Somebody", id} {
		require.NotContains(t, a.body, personal)
	}
}
