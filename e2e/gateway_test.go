package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGatewayServesTheWholeAPI(t *testing.T) {
	t.Parallel()
	services := start(t, "--data-dir="+t.TempDir(), "--trusted-proxies=127.0.0.0/8").ready()
	n := start(t, "gateway", "--upstreams=user="+services.url+",order="+services.url+",event="+services.url).ready()
	_, user := n.register("ada@example.org")
	id := n.place(user, "X-Correlation-ID", "gateway")
	require.Equal(t, []string{"order.placed.v1"}, n.types(n.admin(), "key="+id, 1))
	require.JSONEq(t, services.get("", "/openapi.json").body, n.get("", "/openapi.json").body)
	require.Equal(t, http.StatusOK, n.get("", "/docs").status)
	require.Equal(t, http.StatusNotFound, n.get("", "/metrics").status)
	services.shut()
	a := n.get(user, "/api/orders/"+id)
	require.Equal(t, http.StatusServiceUnavailable, a.status, a.body)
	require.Zero(t, n.shut())

	code, _, errs := runToEnd(t, "gateway")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "MILLRACE_UPSTREAMS: is needed")
}
