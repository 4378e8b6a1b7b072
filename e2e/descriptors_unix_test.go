//go:build unix

package e2e_test

import (
	"bufio"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// More connections than the process may open files must not take the descriptors of databases and broker.
func TestMoreConnectionsThanDescriptorsHarmNothing(t *testing.T) {
	t.Parallel()
	limited := append([]string{"-c", `ulimit -n 256 && exec "$0" "$@"`, binary}, usualFlags...)
	n := launchAs(t, exec.Command("sh", append(limited, "--rate-limits=off", "--data-dir="+t.TempDir())...)).listens().ready()
	_, user := n.register("many@example.org")
	admin := n.admin()
	host := strings.TrimPrefix(n.url, "http://")
	for range 400 { // each is served and then stays open
		conn, err := net.DialTimeout("tcp", host, waitFor)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(waitFor)))
		_, err = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: " + host + "\r\n\r\n"))
		require.NoError(t, err)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
	}
	for range 20 {
		require.Equal(t, []string{"order.placed.v1"}, n.types(admin, "key="+n.place(user), 1))
	}
	a := n.get("", "/readyz")
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, a.body, `"status":"ready"`, a.body)
	require.NotContains(t, n.errs.String(), "too many open files")
	require.Contains(t, n.errs.String(), "all HTTP connections are in use")
}
