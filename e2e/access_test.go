package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/internal/timingtest"
)

// accessEnds is how long a token may outlive its user's rights.
const accessEnds = 5 * time.Second

// accessLimit is how long the end of access is waited for: as long as it may take, where times are measured.
func accessLimit() time.Duration {
	if timingtest.Measured() {
		return accessEnds
	}
	return waitFor
}

// adminRoute is a route of a process that only an admin may call.
type adminRoute struct {
	node *node
	path string
}

// requireStatus requires that each of the routes answers a token with status now.
func requireStatus(t *testing.T, routes []adminRoute, token string, status int) {
	t.Helper()
	for _, r := range routes {
		a := r.node.get(token, r.path)
		require.Equal(t, status, a.status, "%s: %s", r.path, a.body)
	}
}

// awaitStatus waits until each of the routes answers a token with status, no longer than the end of access may take.
func awaitStatus(t *testing.T, routes []adminRoute, token string, status int) {
	t.Helper()
	deadline := time.Now().Add(accessLimit())
	for _, r := range routes {
		require.Eventually(t, func() bool { return r.node.get(token, r.path).status == status }, time.Until(deadline), tick,
			"%s is not answered with %d: %s", r.path, status, r.node.errs)
	}
}

// checkAccessEnds promotes, demotes and deletes an account, and tries its tokens on the routes.
func checkAccessEnds(t *testing.T, user *node, routes func(other string) []adminRoute) {
	t.Helper()
	admin := user.admin()
	id, plain := user.register("bob@example.org")
	other, _ := user.register("eve@example.org")
	restricted := routes(other)
	setRole := func(role string) {
		a := user.send(admin, http.MethodPut, "/api/users/"+id, fmt.Sprintf(`{"role":%q}`, role))
		require.Equal(t, http.StatusOK, a.status, a.body)
	}
	requireStatus(t, restricted, plain, http.StatusForbidden)
	setRole("admin")
	raised := user.signIn("bob@example.org", adminPassword)
	requireStatus(t, restricted, raised, http.StatusOK) // at once, though no service has heard of it
	awaitStatus(t, restricted, plain, http.StatusOK)

	setRole("user")
	awaitStatus(t, restricted, raised, http.StatusForbidden)
	requireStatus(t, restricted, user.signIn("bob@example.org", adminPassword), http.StatusForbidden)

	a := user.send(admin, http.MethodDelete, "/api/users/"+id, "")
	require.Equal(t, http.StatusNoContent, a.status, a.body)
	awaitStatus(t, restricted, raised, http.StatusUnauthorized)
	requireStatus(t, restricted, plain, http.StatusUnauthorized)
	requireStatus(t, restricted, admin, http.StatusOK)
	refused := restricted[0].node.get(raised, restricted[0].path)
	require.Contains(t, refused.header.Get("WWW-Authenticate"), `error="invalid_token"`)
}

func TestAccessEndsAfterDemotionAndDeletion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, "--data-dir="+dir).ready()
	var id string
	checkAccessEnds(t, n, func(other string) []adminRoute {
		id = other
		return []adminRoute{{n, "/api/users"}, {n, "/api/orders?user_id=" + other}, {n, "/api/events"}}
	})

	// It has ended also for a process that starts again and has heard nothing since.
	eve := n.signIn("eve@example.org", adminPassword)
	require.Equal(t, http.StatusNoContent, n.send(n.admin(), http.MethodDelete, "/api/users/"+id, "").status)
	paths := []adminRoute{{n, "/api/users/me"}, {n, "/api/orders"}, {n, "/api/events"}}
	awaitStatus(t, paths, eve, http.StatusUnauthorized)
	require.Zero(t, n.shut())
	n = start(t, "--data-dir="+dir).ready()
	for _, r := range paths {
		require.Equal(t, http.StatusUnauthorized, n.get(eve, r.path).status, r.path)
	}
}

func TestAccessEndsAtEveryReplica(t *testing.T) {
	t.Parallel()
	s := startSplit(t)
	checkAccessEnds(t, s.user, func(other string) []adminRoute {
		orders := "/api/orders?user_id=" + other
		return []adminRoute{
			{s.user, "/api/users"}, {s.orders[0], orders}, {s.orders[1], orders}, {s.events[0], "/api/events"}, {s.events[1], "/api/events"},
		}
	})
}
