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

// door is something at a process that an admin alone may do.
type door struct {
	node *node
	path string
}

// answers asks that a token is answered with status at each of the doors, at once.
func answers(t *testing.T, doors []door, token string, status int) {
	t.Helper()
	for _, d := range doors {
		a := d.node.get(token, d.path)
		require.Equal(t, status, a.status, "%s: %s", d.path, a.body)
	}
}

// soon waits until it is answered so, no longer than access may take to end.
func soon(t *testing.T, doors []door, token string, status int) {
	t.Helper()
	deadline := time.Now().Add(accessLimit())
	for _, d := range doors {
		require.Eventually(t, func() bool { return d.node.get(token, d.path).status == status }, time.Until(deadline), tick,
			"%s is not answered with %d: %s", d.path, status, d.node.errs)
	}
}

// endsEverywhere has an account promoted, demoted and deleted, and tries its tokens at the doors.
func endsEverywhere(t *testing.T, user *node, doors func(other string) []door) {
	t.Helper()
	admin := user.admin()
	id, plain := user.register("bob@example.org")
	other, _ := user.register("eve@example.org")
	locked := doors(other)
	become := func(role string) {
		a := user.send(admin, http.MethodPut, "/api/users/"+id, fmt.Sprintf(`{"role":%q}`, role))
		require.Equal(t, http.StatusOK, a.status, a.body)
	}
	answers(t, locked, plain, http.StatusForbidden)
	become("admin")
	raised := user.signIn("bob@example.org", adminPassword)
	answers(t, locked, raised, http.StatusOK) // at once, though no service has heard of it
	soon(t, locked, plain, http.StatusOK)

	become("user")
	soon(t, locked, raised, http.StatusForbidden)
	answers(t, locked, user.signIn("bob@example.org", adminPassword), http.StatusForbidden)

	a := user.send(admin, http.MethodDelete, "/api/users/"+id, "")
	require.Equal(t, http.StatusNoContent, a.status, a.body)
	soon(t, locked, raised, http.StatusUnauthorized)
	answers(t, locked, plain, http.StatusUnauthorized)
	answers(t, locked, admin, http.StatusOK)
	refused := locked[0].node.get(raised, locked[0].path)
	require.Contains(t, refused.header.Get("WWW-Authenticate"), `error="invalid_token"`)
}

func TestAccessEndsWithTheRoleAndTheUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, "--data-dir="+dir).ready()
	var id string
	endsEverywhere(t, n, func(other string) []door {
		id = other
		return []door{{n, "/api/users"}, {n, "/api/orders?user_id=" + other}, {n, "/api/events"}}
	})

	// It has ended also for a process that starts again and has heard nothing since.
	eve := n.signIn("eve@example.org", adminPassword)
	require.Equal(t, http.StatusNoContent, n.send(n.admin(), http.MethodDelete, "/api/users/"+id, "").status)
	paths := []door{{n, "/api/users/me"}, {n, "/api/orders"}, {n, "/api/events"}}
	soon(t, paths, eve, http.StatusUnauthorized)
	require.Zero(t, n.shut())
	n = start(t, "--data-dir="+dir).ready()
	for _, d := range paths {
		require.Equal(t, http.StatusUnauthorized, n.get(eve, d.path).status, d.path)
	}
}

func TestAccessEndsAtEveryReplica(t *testing.T) {
	t.Parallel()
	s := startSplit(t)
	endsEverywhere(t, s.user, func(other string) []door {
		orders := "/api/orders?user_id=" + other
		return []door{
			{s.user, "/api/users"}, {s.orders[0], orders}, {s.orders[1], orders}, {s.events[0], "/api/events"}, {s.events[1], "/api/events"},
		}
	})
}
