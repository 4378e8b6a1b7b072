package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A service that cannot check any token is not ready, says why, and becomes ready by itself.
func TestServiceIsNotReadyBeforeItHasKeys(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := start(t, "--service=order", "--broker-url=memory:", "--data-dir="+t.TempDir(), "--secret-key="+testSecret,
		"--jwks-url=http://"+addr+"/.well-known/jwks.json")
	checks := func() (status int, keys check) {
		a := n.get("", "/readyz")
		var report struct {
			Checks map[string]check `json:"checks"`
		}
		a.into(t, &report)
		return a.status, report.Checks["order_keys"]
	}
	require.Eventually(t, func() bool { return strings.Contains(n.errs.String(), "public keys cannot be fetched") }, waitFor, tick)
	status, keys := checks()
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "failed", keys.Status)
	require.Contains(t, keys.Detail, "keys")
	require.NotContains(t, keys.Detail, addr, "hosts are for the log")

	user := start(t, "--service=user", "--broker-url=memory:", "--data-dir="+t.TempDir(), "--secret-key="+testSecret, "--http-addr="+addr)
	token := user.ready().signIn("admin@localhost", adminPassword)
	n.ready()
	require.Equal(t, http.StatusOK, n.get(token, "/api/orders").status)
	require.Zero(t, user.shut())
	require.Equal(t, http.StatusOK, n.get(token, "/api/orders").status, "the keys stay good while the user service is away")
	require.Equal(t, http.StatusOK, n.get("", "/readyz").status)
}

// check is one of a readiness report.
type check struct {
	Status string `json:"status"`
	Detail string `json:"detail"`
}
